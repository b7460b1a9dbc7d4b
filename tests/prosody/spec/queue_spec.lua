-- Run with: busted --lua=lua5.4 --pattern=_spec tests/prosody/spec

dofile(debug.getinfo(1, "S").source:match("^@(.*)queue_spec.lua$") .. "prosody_path.lua");
local queue = module:require "tillit/queue";
local spent = module:require "tillit/spent";

local path;

before_each(function() path = os.tmpname(); os.remove(path); end);
after_each(function()
	for _, ending in ipairs({ "", ".done", ".new", ".done.new" }) do os.remove(path .. ending); end
end);

local function append(text)
	local file = io.open(path, "a");
	file:write(text);
	file:close();
end

describe("queue", function()
	it("gives lines back in order, once they are done no more", function()
		local lines = queue.open(path);
		for n = 1, 5 do assert.is_true(lines:put("line " .. n)); end
		local first, mark = lines:peek(2);
		assert.same({ "line 1", "line 2" }, first);
		lines:done(mark);
		assert.same({ "line 3", "line 4", "line 5" }, (lines:peek(9)));
	end);

	it("gives again after a restart what was not done", function()
		local lines = queue.open(path);
		lines:put("a"); lines:put("b");
		local _, mark = lines:peek(1);
		lines:done(mark);
		lines:close();
		assert.same({ "b" }, (queue.open(path):peek(9)));
	end);

	it("does not let a line that was cut short swallow the next", function()
		queue.open(path):put("whole");
		append("cut sho");
		local lines = queue.open(path);
		assert.same({ "whole" }, (lines:peek(9)));
		assert.is_true(select(3, lines:peek(9)));
		lines:put("next");
		assert.same({ "whole", "cut sho", "next" }, (lines:peek(9)));
	end);

	it("vouches for the lines it wrote itself, and for no other", function()
		queue.open(path):put("from before");
		local lines = queue.open(path);
		lines:put("own");
		local _, mark, doubtful = lines:peek(1);
		assert.is_true(doubtful);
		lines:done(mark);
		assert.is_false(select(3, lines:peek(1)));
	end);

	it("says so when it cannot be written", function()
		assert.is_nil(queue.open("/nowhere/at/all"):put("x"));
	end);

	it("takes an offset beyond the end for a file begun anew", function()
		local lines = queue.open(path);
		lines:put("a");
		lines:close();
		local done = io.open(path .. ".done", "w");
		done:write("999\n");
		done:close();
		assert.same({ "a" }, (queue.open(path):peek(9)));
	end);

	it("begins its file anew when all was delivered", function()
		local lines = queue.open(path);
		lines:put(("x"):rep(2 * 1024 * 1024));
		local _, mark = lines:peek(9);
		lines:done(mark);
		lines:put("after");
		assert.same({ "after" }, (lines:peek(9)));
		assert.same({ "after" }, (queue.open(path):peek(9)));
	end);
end);

describe("spent", function()
	it("knows a key once it was spent, and after a restart, until its time is over", function()
		local ids = spent.open(path, 100);
		assert.is_true(ids:spend("jti:a", 200, 100));
		assert.is_false(ids:spend("jti:a", 200, 150));
		ids:close();
		local again = spent.open(path, 150);
		assert.is_false(again:spend("jti:a", 200, 199));
		assert.is_true(again:spend("jti:a", 300, 200));
	end);

	it("passes over a line that was cut short", function()
		spent.open(path, 100):spend("jti:a", 200, 100);
		append("200 jt");
		local again = spent.open(path, 100);
		assert.is_true(again:knows("jti:a", 100));
		assert.is_false(again:knows("jti:ab", 100));
		assert.is_true(again:spend("jti:b", 200, 100));
		assert.is_true(spent.open(path, 100):knows("jti:b", 100));
	end);

	it("writes its file anew seldom while many keys are alive, and drops them when their time is over", function()
		local ids = spent.open(path, 100);
		local rename = spy.on(os, "rename");
		for n = 1, 20000 do assert.is_true(ids:spend("jti:" .. n, 200, 100)); end
		for n = 1, 40000 do assert.is_true(ids:spend("jti:later" .. n, 400, 300)); end
		local times = #rename.calls;
		rename:revert();
		assert.is_true(times >= 3 and times <= 6, times .. " times");
		ids:close();
		local lines = 0;
		for _ in io.lines(path) do lines = lines + 1; end
		assert.is_true(lines < 60000, lines .. " lines");
		local again = spent.open(path, 300);
		assert.is_true(again:knows("jti:later1", 300));
		assert.is_false(again:knows("jti:1", 300));
	end);

	it("says so when it cannot be written", function()
		assert.is_nil(spent.open("/nowhere/at/all", 100):spend("jti:a", 200, 100));
	end);
end);
