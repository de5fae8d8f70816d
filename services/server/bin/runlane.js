#!/usr/bin/env node
// Not built but committed: npm links a package's command when it installs, and in a checkout that is before the build.
import "../dist/main.js";
