#!/usr/bin/env node
import { fail, program } from './cli/program.ts';
import { CccamError } from './runtime/errors.ts';

try {
  await program().parseAsync();
} catch (thrown) {
  if (!(thrown instanceof CccamError)) throw thrown;
  fail(thrown);
}
// A call to a file system that does not answer, such as that of a network share, would keep the program for ever.
if (process.getActiveResourcesInfo().includes('FSReqPromise')) process.exit();
