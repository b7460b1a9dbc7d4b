"""What the stand-ins share: page headers, languages, looks, and how a test starts one."""
