// Everything works without this; with it, times are in your zone, pages stay fresh, and forms help along.
import { localise } from "./times.js";
import { startForms } from "./forms.js";
import { startLive } from "./live.js";

const here = new URL(location.href);
if (here.searchParams.has("done")) {
  // What was done is said once: not again when the page is reloaded.
  here.searchParams.delete("done");
  here.searchParams.delete("done_id");
  history.replaceState(null, "", here);
}
localise(document);
startForms();
startLive();
