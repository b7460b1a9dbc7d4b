-- A JWKS behind a URL or a path, read again at intervals and when a token names a key that is not in it.
-- One per name and server, however many modules ask. Keys that could not be renewed in time are not used:
-- without the sidecar's word nobody new gets in.

local async = require "util.async";
local http = require "net.http";
local now = require "util.time".now;
local timer = require "util.timer";
local jws = module:require "tillit/jws";

local fetch_timeout = 3;  -- seconds
local at_most_every = 2;  -- seconds, for tokens that name an unknown key
local max_document_bytes = 256 * 1024;

local methods = {};

local function take(self, document)
	-- The same document is the same keys: reading one looks into what its keys are made of.
	local same = document ~= nil and self.keys and self.document == document;
	local keys = same and self.keys or document and #document <= max_document_bytes and jws.read_key_set(document);
	if not keys then
		if not self.failing then
			module:log("warn", "the %s keys could not be read: the sidecar is out of reach", self.name);
		end
		self.failing = true;
		return;
	end
	if self.failing then module:log("info", "the %s keys can be read again", self.name); end
	self.keys, self.document, self.read_at, self.failing = keys, document, now(), false;
end

local function fetch_url(self, done)
	local over = false;
	local function finish(document)
		if over then return; end
		over = true;
		take(self, document);
		done();
	end
	http.request(self.location, { headers = { Accept = "application/json" } }, function(body, code)
		finish(code == 200 and body or nil);
	end);
	timer.add_task(fetch_timeout, function() finish(nil); end);
end

local function fetch(self)
	self.tried_at = now();
	if not self.location:find("^https?://") then
		local file = io.open(self.location, "r");
		take(self, file and file:read("a"));
		if file then file:close(); end
		return;
	end
	if self.in_flight then  -- wait for the answer somebody else is waiting for
		if async.ready() then
			local wait, done = async.waiter();
			table.insert(self.waiting, done);
			wait();
		end
		return;
	end
	self.in_flight, self.waiting = true, {};
	local wait, woken;
	if async.ready() then
		wait, woken = async.waiter();
		table.insert(self.waiting, woken);
	end
	fetch_url(self, function()
		self.in_flight = false;
		local waiting = self.waiting;
		self.waiting = {};
		for _, wake in ipairs(waiting) do wake(); end
	end);
	if wait then wait(); end
end

-- Say whether the keys were renewed lately, which is how we know that the sidecar is there.
function methods:is_fresh()
	return self.keys ~= nil and now() - self.read_at <= self.patience;
end

-- Return the keys by kid, or nil when they could not be renewed in time. Waits for a fetch where it may.
function methods:current(kid)
	local missing = kid and self.keys and not self.keys[kid] and now() - self.tried_at >= at_most_every;
	if missing or not self:is_fresh() and (not self.tried_at or now() - self.tried_at >= 0.2 or self.in_flight) then
		fetch(self);
	end
	return self:is_fresh() and self.keys or nil;
end

function methods:renew()
	if now() - (self.tried_at or 0) >= self.refresh * 0.9 then fetch(self); end
end

-- options: { location = URL or path, refresh = seconds, patience = seconds without an answer until the door closes }.
local function get(name, options)
	local self = module:shared("/*/tillit/keys_" .. name);
	for key, value in pairs(options) do self[key] = value; end
	self.name, self.waiting = name, self.waiting or {};
	setmetatable(self, { __index = methods });
	module:add_timer(0, function()
		self:renew();
		return self.refresh;
	end);
	return self;
end

return { get = get };
