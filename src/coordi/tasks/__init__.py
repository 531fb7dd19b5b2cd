"""Tasks: search, edit, outfit, discover; pure logic over the Protocols of `coordi.types`."""
