// @ts-check
// Work that was given up: start it anew, and see what is left.

import { wire } from "./acts.js";

wire(document);
