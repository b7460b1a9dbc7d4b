-- Lets the libraries of prosody-modules run outside Prosody: its util.* on the path, and module:require by file.

local root = os.getenv("TILLIT_PROSODY_LIB") or "/usr/lib/prosody";
package.path = root .. "/?.lua;" .. package.path;
package.cpath = root .. "/?.so;" .. package.cpath;

local here = debug.getinfo(1, "S").source:match("^@(.*)tests/prosody/spec/") or error("not where it was written");
local loaded = {};

module = {};

function module.require(_, name)
	if loaded[name] == nil then loaded[name] = dofile(here .. "prosody-modules/" .. name .. ".lib.lua"); end
	return loaded[name];
end

return module;
