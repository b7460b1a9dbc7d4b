-- What must not be forgotten by a restart: token ids already used, and who was sent away, each until the tokens
-- concerned have expired anyway. One append-only file of lines "<until> <key>"; written before it counts.

-- Lines until the file is written anew with what is still of interest. On a large morning that is most of them: so
-- not before there are twice as many as it was left with, which keeps the cost of a key the same at any size.
local compact_after = 4096;

local methods = {};

local function read_lines(path, now)
	local until_by_key = {};
	local file = io.open(path, "r");
	local text = file and file:read("a") or "";  -- nil where the path is a folder
	if file then file:close(); end
	for line in text:gmatch("[^\n]+") do
		local ends, key = line:match("^(%d+) (%S+)$");  -- a line cut short by a crash was never acted on
		ends = math.tointeger(ends);
		if ends and ends > now then until_by_key[key] = math.max(ends, until_by_key[key] or 0); end
	end
	return until_by_key;
end

function methods:_rewrite(now)
	local fresh = self._path .. ".new";
	local file = io.open(fresh, "w");
	if not file then return nil; end
	local kept, lines = {}, 0;
	for key, ends in pairs(self._until) do
		if ends > now then
			kept[key] = ends;
			lines = lines + 1;
			if not file:write(("%d %s\n"):format(ends, key)) then file:close(); return nil; end
		end
	end
	if not file:close() or not os.rename(fresh, self._path) then return nil; end
	if self._file then self._file:close(); end
	self._until, self._lines, self._compact_at = kept, lines, math.max(compact_after, 2 * lines);
	self._file = io.open(self._path, "a");
	return self._file ~= nil;
end

-- Return true once per key, false ever after, nil when it could not be written: then it must not be acted on.
function methods:spend(key, ends, now)
	if self:knows(key, now) then return false; end
	return self:note(key, ends, now);
end

-- Write a key down, or prolong it. Returns true, or nil when it could not be written.
function methods:note(key, ends, now)
	assert(not key:find("%s"), "a key without spaces");
	if (self._lines >= self._compact_at or not self._file) and not self:_rewrite(now) then return nil; end
	if not self._file:write(("%d %s\n"):format(ends, key)) or not self._file:flush() then
		self._file:close();
		self._file = nil;
		return nil;
	end
	self._until[key] = ends;
	self._lines = self._lines + 1;
	return true;
end

-- Return until when a key is remembered, or nil.
function methods:ends(key, now)
	local ends = self._until[key];
	return ends and ends > now and ends or nil;
end

function methods:knows(key, now) return self:ends(key, now) ~= nil; end

function methods:close()
	if self._file then self._file:close(); end
	self._file = nil;
end

local function open(path, now)
	local self = setmetatable({
		_path = path, _until = read_lines(path, now), _lines = 0, _compact_at = compact_after,
	}, { __index = methods });
	self:_rewrite(now);
	return self;
end

return { open = open };
