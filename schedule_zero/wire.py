"""The messages between server and handlers: JSON objects in one ZeroMQ frame.

Request: `{"method": str, "params": object, "request_id": str, "patience": int}`; all but the first may be missing or
null. Reply: `{"success": true, "result": any, "request_id": str}` or `{"success": false, "error": str, "code": str,
"request_id": str}`, and `incarnation` where a handler of ours ran the call. What JSON lacks (NaN, bytes, keys that are
not text) is refused in parameters and in what a method returns, and so is what is nested too deeply, see
`require_json`. Unknown fields of a request are ignored, those of a reply are kept in `Reply.extra`.

Example:
    >>> decode_request(encode_request("echo", {"n": 1}, "r-1"))
    Request(method='echo', params={'n': 1}, request_id='r-1', patience=None)
"""

from __future__ import annotations

import enum
import math
from typing import Annotated, Any, Final

import msgspec

from schedule_zero.errors import ProtocolError

MAX_BYTES: Final = 8 * 1024 * 1024
"""The largest message, in bytes, that is sent or accepted."""

MAX_DEPTH: Final = 64
"""How deeply objects and arrays may be nested in parameters or a result; what is deeper is not sent, nor accepted."""


MAX_ID: Final = 200
"""The longest request id, in characters: whoever answers keeps it, to know a repetition."""


class ErrorCode(enum.StrEnum):
    """The kinds of `success: false`, as they stand in a reply's `code`."""

    MALFORMED = "malformed"
    """The request could not be understood."""
    UNKNOWN_METHOD = "unknown_method"
    """The handler has no such public method."""
    BAD_PARAMS = "bad_params"
    """The parameters do not fit the method."""
    CALL_FAILED = "call_failed"
    """The method raised; `error` holds the exception's type, then its message."""
    BAD_RESULT = "bad_result"
    """The method ran, and what it returned is not JSON, too large or nested too deeply."""
    UNAVAILABLE = "unavailable"
    """Stopping, full, or busy for as long as the caller waits; the call did not run."""
    ID_REUSED = "request_id_reused"
    """The request id belongs to an earlier call of another method."""
    UNKNOWN_HANDLER = "unknown_handler"
    """The registration server does not know this handler: register (again)."""
    SUPERSEDED = "superseded"
    """Another live process is registered under this handler id."""
    NOT_ADMITTED = "not_admitted"
    """The registration server does not take this from this peer: see `security.admission`."""
    INTERNAL = "internal"
    """A defect on the answering side; its log has the traceback."""


class Request(msgspec.Struct):
    """One call: a method's name, its parameters by name, and the id under which a repetition is recognised.

    `patience` is for how many milliseconds from its arrival on the call may wait to be begun; after that its caller has
    given up, or is about to. None: for as long as it takes.
    """

    method: str
    params: dict[str, Any] | None = {}
    request_id: Annotated[str, msgspec.Meta(max_length=MAX_ID)] | None = None
    patience: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Reply(msgspec.Struct):
    """One answer. `extra` holds the fields that are no part of the protocol, such as `message` of a ping.

    `incarnation` names the start of the handler in which the call ran: another one means that the handler was
    restarted, and has forgotten which calls it ran before. Handlers that know nothing of it send none.
    """

    success: bool
    result: Any = None
    error: str | None = None
    code: str | None = None
    request_id: str | None = None
    extra: dict[str, Any] = {}
    incarnation: str | None = None


class _PlainReply(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The fields of a reply that has no others, which is nearly every reply."""

    success: bool
    result: Any = None
    error: str | None = None
    code: str | None = None
    request_id: str | None = None
    incarnation: str | None = None


# Encoders and decoders keep no state between calls; making them once is what makes them fast.
_encode: Final = msgspec.json.Encoder().encode
_decode_request: Final = msgspec.json.Decoder(Request).decode
_decode_plain_reply: Final = msgspec.json.Decoder(_PlainReply).decode
_decode_object: Final = msgspec.json.Decoder(dict[str, Any]).decode


def encode_request(
    method: str, params: dict[str, Any] | None = None, request_id: str | None = None, *, limit: int = MAX_BYTES
) -> bytes:
    """The bytes of a request.

    Raises:
        ProtocolError: the parameters hold something that JSON cannot, are larger than `limit` bytes or nested deeper
            than `MAX_DEPTH`, or the request id is too long.
    """
    if request_id is not None and len(request_id) > MAX_ID:
        raise ProtocolError(f"a request id has at most {MAX_ID} characters, found {len(request_id)}")
    message: dict[str, Any] = {"method": method, "params": params if params is not None else {}}
    if request_id is not None:
        message["request_id"] = request_id
    data = _encoded(message, "request", limit)
    # After that: what has been encoded has an end.
    require_json(message["params"], "params")
    return data


def with_patience(request: bytes, patience: int) -> bytes:
    """An encoded request, with for how many milliseconds it may wait to be begun; see `Request`.

    >>> with_patience(encode_request("echo"), 900)
    b'{"method":"echo","params":{},"patience":900}'
    """
    return b'%b,"patience":%d}' % (request[:-1], patience)


def decode_request(data: bytes) -> Request:
    """The request in `data`.

    Raises:
        ProtocolError: not a JSON object of the stated form; the message says which field is wrong.
    """
    try:
        request = _decode_request(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolError(f"not a request: {error}") from error
    if not request.method:
        raise ProtocolError("not a request: `method` is empty")
    _check_depth(data, request.params)
    if request.params is None:
        request.params = {}
    return request


def encode_reply(reply: Reply, *, limit: int = MAX_BYTES) -> bytes:
    """The bytes of a reply; a success carries `result`, a failure `error` and `code`, as the protocol has it.

    What a method has returned, and `result` therefore holds, is checked by `require_json` before; our own replies hold
    nothing else.

    Raises:
        ProtocolError: the result cannot be encoded at all, or is larger than `limit` bytes.
    """
    message: dict[str, Any] = dict(reply.extra)
    message["success"] = reply.success
    if reply.success:
        message["result"] = reply.result
    else:
        message["error"] = reply.error or "unknown error"
        message["code"] = reply.code or ErrorCode.INTERNAL.value
    if reply.request_id is not None:
        message["request_id"] = reply.request_id
    if reply.incarnation is not None:
        message["incarnation"] = reply.incarnation
    return _encoded(message, "reply", limit)


def decode_reply(data: bytes) -> Reply:
    """The reply in `data`.

    Raises:
        ProtocolError: not a JSON object, `success` missing or not a boolean, or a text field that is no text.
    """
    try:
        plain = _decode_plain_reply(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # It has further fields, or is wrong; field by field costs several times as much, and can say which.
        return _decode_any_reply(data)
    _check_depth(data, plain.result)
    return Reply(
        plain.success, plain.result, plain.error, plain.code, plain.request_id, incarnation=plain.incarnation
    )


def failure(error: str, code: ErrorCode, request_id: str | None = None) -> Reply:
    """A reply that says `success: false`.

    Example:
        >>> encode_reply(failure("no such method: x", ErrorCode.UNKNOWN_METHOD, "r-1"))
        b'{"success":false,"error":"no such method: x","code":"unknown_method","request_id":"r-1"}'
    """
    # A lone surrogate, as in the name of a file that is no UTF-8, can be in a text of Python's but in no message.
    error = error.encode("utf-8", "backslashreplace").decode()
    return Reply(False, error=error, code=code.value, request_id=request_id)


def require_json(value: Any, what: str) -> None:
    """Raise `ProtocolError` if a value is made of anything else than JSON has: dicts with text as keys, lists (and
    tuples), text, finite numbers, booleans, None, or is nested deeper than is accepted on the other side.

    The encoder would take more, and the other side would get something else: null for NaN, base64 for bytes.

    >>> require_json([{"n": 1.5}, (None, True)], "result")
    >>> require_json({"n": float("nan")}, "result")
    Traceback (most recent call last):
    schedule_zero.errors.ProtocolError: result holds nan, which JSON cannot say
    """
    level = [value]
    depth = 1
    while level:
        below: list[Any] = []
        # Only where it is that deep: nothing is spent on what is flat.
        if depth > MAX_DEPTH and any(isinstance(item, (dict, list, tuple)) for item in level):
            raise ProtocolError(f"{what} is nested deeper than {MAX_DEPTH} levels")
        depth += 1
        for item in level:
            if isinstance(item, dict):
                for key in item:
                    if not isinstance(key, str):
                        raise ProtocolError(f"{what} holds the key {key!r:.80}, and keys of JSON are text")
                below.extend(item.values())
            elif isinstance(item, (list, tuple)):
                below.extend(item)
            elif isinstance(item, float) and not math.isfinite(item):
                raise ProtocolError(f"{what} holds {item}, which JSON cannot say")
            elif not isinstance(item, (str, int, float, type(None))):
                raise ProtocolError(f"{what} holds a {type(item).__name__}, which JSON cannot say")
        level = below


def find_request_id(data: bytes) -> str | None:
    """The request id in a message that is otherwise no good, so that the error reply can name it."""
    try:
        request_id = _decode_object(data).get("request_id")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return request_id if isinstance(request_id, str) and len(request_id) <= MAX_ID else None


def _encoded(message: dict[str, Any], what: str, limit: int) -> bytes:
    try:
        data = _encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ProtocolError(f"{what} cannot be written as JSON: {error}") from error
    if len(data) > limit:
        raise ProtocolError(f"{what} of {len(data)} bytes is larger than the limit of {limit} bytes")
    return data


def _decode_any_reply(data: bytes) -> Reply:
    try:
        message = _decode_object(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProtocolError(f"not a reply: {error}; it began with {data[:80]!r}") from error
    success = message.pop("success", None)
    if not isinstance(success, bool):
        raise ProtocolError(f"not a reply: `success` must be true or false, found {success!r}")
    _check_depth(data, message)
    result = message.pop("result", None)
    error_text, code, request_id = (_text(message, key) for key in ("error", "code", "request_id"))
    # Only of use as text; in a ping's answer it is one of the further fields.
    incarnation = message.get("incarnation")
    return Reply(
        success, result, error_text, code, request_id, message, incarnation if isinstance(incarnation, str) else None
    )


def _text(message: dict[str, Any], key: str) -> str | None:
    value = message.pop(key, None)
    if value is None or isinstance(value, str):
        return value
    raise ProtocolError(f"not a reply: `{key}` must be text, found {value!r:.80}")


def _check_depth(data: bytes, value: Any) -> None:
    # Counting brackets is quick, and nothing can be nested deeper than it has brackets; only then look closely.
    if data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ProtocolError(f"message is nested deeper than {MAX_DEPTH} levels")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return []
    return [child for child in value if isinstance(child, (dict, list))]
