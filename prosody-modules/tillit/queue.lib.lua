-- A queue of lines on disk: appended in order, taken from the front, never lost by a kill of the process.
-- `<path>` holds the lines, `<path>.done` how many bytes of it were delivered.

local max_bytes = 256 * 1024 * 1024;  -- a day of a busy shard without its sidecar; full means that acts are refused
local rotate_bytes = 1024 * 1024;  -- an emptied file is begun anew beyond this

local methods = {};

local function read_all(path)
	local file = io.open(path, "r");
	if not file then return nil; end
	local found = file:read("a");
	file:close();
	return found;
end

local function size_of(path)
	local file = io.open(path, "r");
	if not file then return 0; end
	local size = file:seek("end");
	file:close();
	return size;
end

local function write_done(self, bytes)
	local fresh = self._path .. ".done.new";
	local file = io.open(fresh, "w");
	if not file then return nil; end
	local written = file:write(("%d\n"):format(bytes));
	return file:close() and written and os.rename(fresh, self._path .. ".done") and true or nil;
end

local function open_end(self)
	self._file = io.open(self._path, "a");
	if not self._file then return nil; end
	self._size = size_of(self._path);
	return true;
end

-- Append one line without a line break in it. Returns true, or nil when it is not safely queued.
function methods:put(line)
	if self._broken then  -- part of a line may stand there: end it, so that it can be told from the next
		if not self._file and not open_end(self) then return nil; end
		line = "\n" .. line;
	end
	if self._size + #line > max_bytes then return nil; end
	if not self._file or not self._file:write(line, "\n") or not self._file:flush() then
		self._broken = true;
		if self._file then pcall(self._file.close, self._file); end
		self._file = nil;
		return nil;
	end
	if self._broken then self._whole_from = self._size + 1; end
	self._broken = false;
	self._size = self._size + #line + 1;
	return true;
end

-- Return up to `most` lines from the front, a mark for `done`, and whether one may have been cut short: what this
-- process wrote without a failure was not. Unfinished lines are passed over.
function methods:peek(most)
	local lines, mark = {}, self._done;
	local file = io.open(self._path, "r");
	if not file then return lines, mark, true; end
	file:seek("set", mark);
	for line in file:lines("L") do
		if #lines >= most or line:sub(-1) ~= "\n" then break; end
		mark = mark + #line;
		if line ~= "\n" then lines[#lines + 1] = line:sub(1, -2); end
	end
	file:close();
	return lines, mark, self._done < self._whole_from;
end

-- The lines up to this mark were delivered. A crash before this is written delivers them once more.
function methods:done(mark)
	self._done = mark;
	if mark >= self._size and mark > rotate_bytes and self._file then
		-- The lines first: an offset beyond the file's end is read as zero.
		self._file:close();
		local empty = io.open(self._path, "w");
		if empty then empty:close(); end
		self._done, self._whole_from = 0, 0;
		if not open_end(self) then self._broken = true; end
	end
	return write_done(self, self._done);
end

function methods:waiting() return self._size - self._done; end

function methods:close()
	if self._file then self._file:close(); end
	self._file = nil;
end

local function open(path)
	local self = setmetatable({ _path = path, _size = 0, _done = 0, _whole_from = 0 }, { __index = methods });
	if not open_end(self) then
		self._broken = true;
		return self;
	end
	local done = math.tointeger((read_all(path .. ".done") or ""):match("^(%d+)\n")) or 0;
	self._done = done <= self._size and done or 0;
	self._whole_from = self._size;
	if self._size > 0 then
		local file = io.open(path, "r");
		file:seek("end", -1);
		self._broken = file:read(1) ~= "\n";
		file:close();
	end
	return self;
end

return { open = open };
