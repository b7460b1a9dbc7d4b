// @ts-check
import { follow, wire } from "./acts.js";

wire(document);
follow("live");
