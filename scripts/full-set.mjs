// Installs what the full set of tests needs beside Node, npm and a way to nats-server. Nothing so far: no test needs a browser, a database or another language yet.
import { checkNode } from "./ready.mjs";

checkNode();
