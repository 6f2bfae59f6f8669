import { homedir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configFolder, homeFolder } from '../../src/base/user-folders.ts';

test('settings are where XDG_CONFIG_HOME or HOME say', () => {
  assert.is(configFolder({ HOME: '/home/ada' }), '/home/ada/.config/lhb');
  assert.is(configFolder({ HOME: '/home/ada', XDG_CONFIG_HOME: '/etc/ada' }), '/etc/ada/lhb');
});

test('an empty variable is an unset one: never a folder of the workflow', () => {
  assert.is(homeFolder({ HOME: '' }), homedir());
  assert.is(configFolder({ HOME: '', XDG_CONFIG_HOME: '' }), join(homedir(), '.config', 'lhb'));
});

test('a relative XDG_CONFIG_HOME is ignored, as its specification says', () => {
  assert.is(configFolder({ HOME: '/home/ada', XDG_CONFIG_HOME: 'settings' }), '/home/ada/.config/lhb');
});

test.run();
