-- What a person may say about themselves in presence. The stanza is written anew from what is known and allowed;
-- a child that is neither is left out, since refusing the whole would keep the person out of the room.

local st = require "util.stanza";

local xmlns_muc = "http://jabber.org/protocol/muc";
local xmlns_nick = "http://jabber.org/protocol/nick";
local max_text = 512;  -- bytes

local shows = { away = true, chat = true, dnd = true, xa = true };

local function is_flag(text) return text == "true" or text == "false"; end
local function is_moment(text) return text:find("^%d*$") ~= nil and #text <= 16; end  -- milliseconds, empty for down
local function is_short(text) return #text <= max_text; end

-- name|xmlns -> { check of the text, permission }. Attributes are left out, except those of caps.
local texts = {
	["audiomuted|http://jitsi.org/jitmeet/audio"] = { is_flag },
	["videomuted|http://jitsi.org/jitmeet/video"] = { is_flag },
	["audiomuted|"] = { is_flag },
	["videomuted|"] = { is_flag },
	["videoType|"] = { function(text) return text == "camera"; end },
	["stats-id|"] = { function(text) return text:find("^[%w_-]*$") ~= nil and #text <= 64; end },
	["jitsi_participant_codecType|"] = { function(text) return text:find("^[%w]*$") ~= nil and #text <= 16; end },
	["jitsi_participant_codecList|"] = { function(text) return text:find("^[%w,]*$") ~= nil and #text <= 64; end },
	["jitsi_participant_raisedHand|"] = { is_moment, "raise_hand" },
	["SourceInfo|"] = { is_short },  -- read by mod_tillit_sources, which must stand wherever this gate stands
};

local function caps(child)
	local attr = child.attr;
	if not (attr.hash and attr.node and attr.ver) or #attr.node > 256 or #attr.ver > 128 or #attr.hash > 16 then
		return nil;
	end
	return st.stanza("c", { xmlns = attr.xmlns, hash = attr.hash, node = attr.node, ver = attr.ver });
end

local function e2ee(child, grant)
	-- Switching it on or off is the meeting's matter, not a client's: in a strict one it is on, elsewhere not at all.
	if grant.encryption ~= "strict" then return nil, "encryption"; end
	local text = child:get_text() or "";
	if child.name == "jitsi_participant_e2ee.enabled" then
		if text ~= "true" then return nil, "encryption"; end
	elseif not child.name:find("^jitsi_participant_e2ee%.idKey%.[%w]+$") or not text:find("^[%w+/=]+$")
	or #text > max_text then
		return nil, "unknown-child";
	end
	return st.stanza(child.name):text(text);
end

-- Say whether an element is nothing but its name and one text: then it is what would be written anew.
local function is_bare(child)
	for name in pairs(child.attr) do
		if name ~= "xmlns" then return false; end
	end
	return child.namespaces == nil and #child <= 1 and #child.tags == 0;
end

local function rewritten(child, grant, may)
	local xmlns = child.attr.xmlns or "";
	if child.name == "x" and xmlns == xmlns_muc then
		-- No password with it, and no history: what was said before one was let in is not one's own.
		if #child == 0 and is_bare(child) then return child; end
		return st.stanza("x", { xmlns = xmlns_muc }), child:get_child("password") and "password" or nil;
	end
	if child.name == "c" and xmlns == "http://jabber.org/protocol/caps" then return caps(child), "unknown-child"; end
	if child.name == "show" and xmlns == "" then
		return shows[child:get_text()] and st.stanza("show"):text(child:get_text()) or nil, "unknown-child";
	end
	if child.name == "jitsi_participant_region" then  -- the server's to say, see mod_tillit_admission
		return nil, child:get_text() ~= grant.region and "region" or nil;
	end
	if xmlns == "" and child.name:find("^jitsi_participant_e2ee%.") then return e2ee(child, grant); end
	local rule = texts[child.name .. "|" .. xmlns];
	if not rule then return nil, "unknown-child"; end
	local text = child:get_text() or "";
	if rule[2] and not may[rule[2]] then return nil, rule[2]; end
	if #child.tags > 0 or not rule[1](text) then return nil, "unknown-child"; end
	if is_bare(child) then return child; end
	return st.stanza(child.name, { xmlns = child.attr.xmlns }):text(text);
end

-- Write the children of a presence to the room anew, and leave out text between them. Returns a list of
-- { child name, rule } of what was left out. The name others see is the verified one, whatever the client says.
local function rewrite(stanza, grant, may)
	local dropped, given, kept = {}, {}, {};
	for _, child in ipairs(stanza.tags) do  -- childtags() would pass by what is of another namespace
		local xmlns = child.attr.xmlns or "";
		if child.name == "nick" and xmlns == xmlns_nick then
			if child:get_text() ~= grant.name then dropped[#dropped + 1] = { "nick", "verified-name" }; end
		else
			local key = child.name .. "|" .. xmlns;
			local copy, rule = rewritten(child, grant, may);
			if copy and given[key] then copy, rule = nil, "given-twice"; end
			given[key] = true;
			if rule and (not copy or rule == "password") then dropped[#dropped + 1] = { child.name, rule }; end
			kept[#kept + 1] = copy;
		end
	end
	for i = #stanza, 1, -1 do stanza[i] = nil; end
	for i = #stanza.tags, 1, -1 do stanza.tags[i] = nil; end
	if stanza.attr.type == nil then
		kept[#kept + 1] = st.stanza("nick", { xmlns = xmlns_nick }):text(grant.name);
	end
	for _, child in ipairs(kept) do stanza:add_direct_child(child); end
	return dropped;
end

return { rewrite = rewrite };
