-- Prosody loads each file in an environment of its own; these are the names it puts there.
std = "lua54"
max_line_length = 120
allow_defined_top = true
read_globals = { "prosody", module = { other_fields = true, fields = { unload = { read_only = false } } } }
not_globals = { "getfenv", "setfenv", "loadstring", "unpack" }
-- Specs stand in for Prosody.
files["**/spec/**"] = { std = "lua54+busted", globals = { "module" } }
