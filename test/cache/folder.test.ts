// A folder that is shared (`dir:`), with all that holds for every cache.
import { test } from 'uvu';
import { cacheSuite } from '../support/cache-suite.ts';
import { folderCache } from '../support/shared.ts';

cacheSuite('folder', folderCache);

test.run();
