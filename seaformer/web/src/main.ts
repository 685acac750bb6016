/** The page. */

import { load } from "./session";

export { load };
