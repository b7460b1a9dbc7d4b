-- Which sounds and pictures a person may send, as presence and Jingle name them. Pure: stanzas and sets in, stanzas
-- and rules out. Source names are "<endpoint>-<a or v><index>"; the media type is read from the name.
--
-- `known` is what we take Jicofo to have of one person, by SSRC, since Jicofo asks for the SSRC and for nothing else:
-- ssrc -> { ssrc =, name =, kind =, media =, batch = the offer it came in, asked = true until Jicofo said yes,
--           leaving = how many removals of it Jicofo has not answered, released = its name may be taken again,
--           unwanted = it has to go, awaited = and somebody looks whether it went }

local st = require "util.stanza";
local json_encode = require "util.json".encode;
local strict_json = module:require "tillit/strict_json";

local xmlns_jingle = "urn:xmpp:jingle:1";
local xmlns_rtp = "urn:xmpp:jingle:apps:rtp:1";
local xmlns_ssma = "urn:xmpp:jingle:apps:rtp:ssma:0";
local xmlns_focus = "http://jitsi.org/protocol/focus";
local max_entries = 8;  -- in one SourceInfo; a client with everything on has three
local max_ssrcs = 20;  -- of one person, Jicofo's own limit (max-ssrcs-per-user)
local max_ssrcs_per_name = 6;  -- three layers of simulcast, each with its retransmissions
local max_sounds = 2;  -- the microphone, and the sound of what is shared

-- What of a source's kind this person may send: "audio", "camera", "share".
local function allows(may, kind)
	if kind == "audio" then return may.speak == true; end
	if kind == "camera" then return may.show_camera == true; end
	-- A server cannot see whether a window or the whole screen was chosen: either permission lets a share through.
	return may.share_window == true or may.share_screen == true;
end

local rules = { audio = "speak", camera = "show_camera", share = "share_window" };

-- Return the kind a source name and its video type say, or nil when the name is not this endpoint's.
local function kind_of(name, video_type, endpoint)
	if type(name) ~= "string" then return nil; end
	local owner, media = name:match("^(.+)%-([av])%d%d?$");
	if owner ~= endpoint then return nil; end
	if media == "a" then return video_type == nil and "audio" or nil; end
	if video_type == nil or video_type == "camera" or video_type == "none" then return "camera"; end
	if video_type == "desktop" or video_type == "desktop_high_fps" then return "share"; end
	return nil;
end

-- Check the text of a SourceInfo. Returns it written anew with what may stay, and a list of the rules that cut
-- something; or nil when it cannot be read.
local function check_source_info(text, endpoint, may)
	local found = strict_json.decode_object(text);
	if not found then return nil, { "source-info-unreadable" }; end
	local kept, cut, count, pictures = {}, {}, 0, {};
	for name, said in pairs(found) do
		count = count + 1;
		local kind = strict_json.is_object(said) and kind_of(name, said.videoType, endpoint);
		local muted = kind and said.muted;
		if not kind or muted ~= nil and type(muted) ~= "boolean" then
			cut[#cut + 1] = "unknown-source";
		elseif not allows(may, kind) and (muted ~= true or kind == "share") then
			cut[#cut + 1] = rules[kind];
		elseif kind ~= "audio" and muted ~= true and pictures[kind] then
			cut[#cut + 1] = "too-many-pictures";
		else
			if kind ~= "audio" and muted ~= true then pictures[kind] = true; end
			kept[name] = { muted = muted, videoType = said.videoType };
		end
	end
	if count > max_entries then return nil, { "source-info-unreadable" }; end
	table.sort(cut);
	return next(kept) and json_encode(kept) or "{}", cut;
end

-- Return an SSRC as Jicofo reads it, in the one way of writing it that we take, or nil.
local function ssrc_of(source)
	local ssrc = source.attr.ssrc;
	if not ssrc or not ssrc:find("^[1-9]%d*$") or #ssrc > 10 or tonumber(ssrc) > 0xffffffff then return nil; end
	return ssrc;
end

-- Say whether there is no room for a source beside the others: one camera and one share, since a second picture may
-- lie about what it shows, and sounds under two names.
local function is_crowded(known, entry)
	local names, count = {}, 0;
	for _, other in pairs(known) do
		if other ~= entry and not other.released and other.kind == entry.kind and other.name ~= entry.name
		and not names[other.name] then
			names[other.name], count = true, count + 1;
		end
	end
	return count >= (entry.kind == "audio" and max_sounds or 1);
end

-- Say whether sources that came in another offer bear this name: more would be a second picture in its place.
local function is_taken(known, entry)
	for _, other in pairs(known) do
		if other ~= entry and other.name == entry.name and other.batch ~= entry.batch and not other.released then
			return true;
		end
	end
	return false;
end

-- Judge one <source>. known: with what this offer has brought so far. Returns an entry, or nil and a rule.
local function judge_source(source, media, endpoint, may, known, batch)
	local name, ssrc = source.attr.name, ssrc_of(source);
	local kind = kind_of(name, source.attr.videoType, endpoint);
	if not ssrc or not kind or (kind == "audio") ~= (media == "audio") then return nil, "unknown-source"; end
	if not allows(may, kind) then return nil, rules[kind]; end
	local entry = { ssrc = ssrc, name = name, kind = kind, media = media, batch = batch, asked = true };
	if is_crowded(known, entry) then return nil, kind == "audio" and "too-many-sounds" or "too-many-pictures"; end
	-- One SSRC under two names is two sources to Jicofo, and a removal would take back the first of them only.
	if known[ssrc] or is_taken(known, entry) then return nil, "given-twice"; end
	local all, of_name = 1, 1;
	for _, other in pairs(known) do
		all, of_name = all + 1, of_name + (other.name == name and not other.released and 1 or 0);
		-- One name is one kind of thing: "camera" and "share" under one would be taken back one by one.
		if other.name == name and not other.released and other.kind ~= kind then return nil, "unknown-source"; end
	end
	if all > max_ssrcs or of_name > max_ssrcs_per_name then return nil, "too-many-sources"; end
	return entry;
end

-- Keep of a <source> what Jicofo reads, and its parameters (cname, msid).
local function copy_source(source)
	local attr = source.attr;
	local copy = st.stanza("source", {
		xmlns = xmlns_ssma, ssrc = attr.ssrc, name = attr.name, videoType = attr.videoType,
	});
	for parameter in source:childtags("parameter") do
		copy:tag("parameter", { xmlns = xmlns_ssma, name = parameter.attr.name, value = parameter.attr.value }):up();
	end
	return copy;
end

local semantics = { FID = true, SIM = true };  -- what Jicofo knows; it answers nothing where it is given another

-- Keep of an <ssrc-group> what it groups, where that passed and has one name: a group across names would keep a part
-- of one from being taken back without the other.
local function copy_group(group, passed)
	local copy = st.stanza("ssrc-group", { xmlns = xmlns_ssma, semantics = group.attr.semantics });
	local name;
	for member in group:childtags("source") do
		local entry = passed[member.attr.ssrc];
		if not entry or name and entry.name ~= name then return nil; end
		name = entry.name;
		copy:tag("source", { xmlns = xmlns_ssma, ssrc = entry.ssrc }):up();
	end
	return name and semantics[group.attr.semantics] and copy or nil;
end

local offers = { source = true, ["ssrc-group"] = true, ["json-message"] = true };

-- Say whether an element we do not read has sources in it: a reader that looks for them anywhere would take them.
local function carries_sources(element)
	if offers[element.name] then return true; end
	for _, child in ipairs(element.tags) do
		if carries_sources(child) then return true; end
	end
	return false;
end

local function check_description(description, endpoint, may, known, found)
	local media = description.attr.media;
	local function cut(rule)
		found.cut[#found.cut + 1] = rule;
		return nil;
	end
	local passed = {};
	description:maptags(function(child)
		if (child.name == "source" or child.name == "ssrc-group") and child.attr.xmlns ~= xmlns_ssma then
			return cut("unknown-source");  -- a reader that does not look at namespaces would take it
		end
		if child.name == "source" then
			local entry, rule = judge_source(child, media, endpoint, may, known, found.added);
			if not entry then return cut(rule); end
			known[entry.ssrc], found.added[entry.ssrc], passed[entry.ssrc] = entry, entry, entry;
			return copy_source(child);
		end
		if child.name ~= "ssrc-group" and carries_sources(child) then return cut("unknown-source"); end
		return child;
	end);
	description:maptags(function(child)
		if child.name ~= "ssrc-group" then return child; end
		return copy_group(child, passed);  -- else cut with the source it groups
	end);
end

-- Check a <jingle> that offers sources (source-add, session-accept, transport-accept), cutting out of it what may
-- not be sent. What passes is added to known. Returns a list of the rules that cut something, empty where all may
-- pass, and what was added.
local function check_jingle(jingle, endpoint, may, known)
	local found = { cut = {}, added = {} };
	local function cut()
		found.cut[#found.cut + 1] = "unknown-source";
		return nil;
	end
	jingle:maptags(function(content)
		if content.name ~= "content" then return not carries_sources(content) and content or cut(); end
		if content.attr.xmlns ~= xmlns_jingle then return cut(); end
		return content:maptags(function(child)
			if child.name ~= "description" then return not carries_sources(child) and child or cut(); end
			local media = child.attr.media;
			if child.attr.xmlns ~= xmlns_rtp or media ~= "audio" and media ~= "video" then return cut(); end
			check_description(child, endpoint, may, known, found);
			return child;
		end);
	end);
	return found.cut, found.added;
end

-- Write contents with nothing but these sources. sources: media -> list of { ssrc =, name = }.
local function add_sources(jingle, sources)
	for _, media in ipairs({ "audio", "video" }) do
		if sources[media] then
			jingle:tag("content", { xmlns = xmlns_jingle, name = media, creator = "initiator" })
				:tag("description", { xmlns = xmlns_rtp, media = media });
			for _, each in ipairs(sources[media]) do
				jingle:tag("source", { xmlns = xmlns_ssma, ssrc = each.ssrc, name = each.name }):up();
			end
			jingle:up():up();
		end
	end
	return jingle;
end

-- Write a source-remove anew from the SSRCs it names, since Jicofo goes by nothing else and drops the groups itself.
-- Returns ssrc -> true, or nil and a rule.
local function check_removal(jingle)
	local named, sources, count = {}, {}, 0;
	for _, content in ipairs(jingle.tags) do
		local description = content:get_child("description", xmlns_rtp);
		local media = description and description.attr.media;
		if content.name ~= "content" or media ~= "audio" and media ~= "video" then return nil, "unknown-source"; end
		for source in description:childtags("source", xmlns_ssma) do
			local ssrc = ssrc_of(source);
			count = count + 1;
			if not ssrc or count > max_ssrcs then return nil, "unknown-source"; end
			named[ssrc], sources[media] = true, sources[media] or {};
			table.insert(sources[media], { ssrc = ssrc, name = source.attr.name });
		end
	end
	jingle:maptags(function() return nil; end);
	add_sources(jingle, sources);
	return named;
end

-- Note that a removal of these SSRCs is on its way. Returns the entries it may take. Jicofo takes all of them or none:
-- only where it can have no reason to refuse may their names be taken again before it has answered, as browsers do.
local function begin_removal(known, named)
	local taken, whole = {}, true;
	for ssrc in pairs(named) do
		local entry = known[ssrc];
		whole = whole and entry ~= nil and not entry.asked and not entry.leaving;
		taken[#taken + 1] = entry;
	end
	for _, entry in pairs(known) do
		for _, going in ipairs(taken) do
			whole = whole and (entry.name ~= going.name or named[entry.ssrc] == true);
		end
	end
	for _, entry in ipairs(taken) do
		entry.leaving, entry.released = (entry.leaving or 0) + 1, whole or entry.released;
	end
	return taken;
end

-- Jicofo has answered a removal.
local function end_removal(known, taken, done)
	for _, entry in ipairs(taken) do
		if done then
			if known[entry.ssrc] == entry then known[entry.ssrc] = nil; end
		else
			entry.leaving = entry.leaving > 1 and entry.leaving - 1 or nil;
			if not entry.leaving and entry.released then
				entry.released = nil;
				-- It is sent on, and something has taken its place meanwhile.
				if is_taken(known, entry) or is_crowded(known, entry) then entry.unwanted = true; end
			end
		end
	end
end

-- Jicofo has answered an offer.
local function end_offer(known, added, done)
	for ssrc, entry in pairs(added) do
		entry.asked = nil;
		if not done and known[ssrc] == entry then known[ssrc] = nil; end
	end
end

-- Mark what may no longer be sent.
local function mark_unwanted(known, may)
	for _, entry in pairs(known) do
		if not allows(may, entry.kind) then entry.unwanted = true; end
	end
end

-- Return what has to go and was not returned before.
local function unwanted(known)
	local found = {};
	for _, entry in pairs(known) do
		if entry.unwanted and not entry.awaited then
			entry.awaited = true;
			found[#found + 1] = entry;
		end
	end
	return found;
end

-- Return the requests that take back what has to go, as a list of { jingle, named }. One for each name: so nothing
-- that Jicofo has refused is among them, and no layer of a picture is left behind alone, which it would not allow.
local function withdraw(sid, known)
	local names, requests = {}, {};
	for ssrc, entry in pairs(known) do
		if entry.unwanted and not entry.asked and not entry.leaving then
			local one = names[entry.name] or { named = {}, sources = {} };
			names[entry.name], one.named[ssrc] = one, true;
			one.sources[entry.media] = one.sources[entry.media] or {};
			table.insert(one.sources[entry.media], entry);
		end
	end
	for _, one in pairs(names) do
		local jingle = st.stanza("jingle", { xmlns = xmlns_jingle, action = "source-remove", sid = sid });
		requests[#requests + 1] = { add_sources(jingle, one.sources), one.named };
	end
	return requests;
end

-- What a Jingle may have in it beside sources, by namespace. true: with its text.
local elements = {
	[xmlns_jingle] = {
		content = false, reason = false, success = false, cancel = false, decline = false, busy = false, timeout = false,
		gone = false, expired = false, ["general-error"] = false, ["failed-transport"] = false,
		["failed-application"] = false, ["connectivity-error"] = false, ["media-error"] = false,
	},
	[xmlns_rtp] = { description = false, ["payload-type"] = false, parameter = false, ["rtcp-mux"] = false },
	[xmlns_ssma] = { source = false, ["ssrc-group"] = false, parameter = false },
	["urn:xmpp:jingle:apps:rtp:rtcp-fb:0"] = { ["rtcp-fb"] = false, ["rtcp-fb-trr-int"] = false },
	["urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"] = {
		["rtp-hdrext"] = false, parameter = false, ["extmap-allow-mixed"] = false,
	},
	["urn:xmpp:jingle:transports:ice-udp:1"] = { transport = false, candidate = false, ["rtcp-mux"] = false },
	["urn:xmpp:jingle:apps:dtls:0"] = { fingerprint = true },
	["urn:xmpp:jingle:transports:dtls-sctp:1"] = { sctpmap = false },
	["urn:xmpp:jingle:apps:grouping:0"] = { group = false, content = false },
	["jitsi:colibri2"] = { ["initial-last-n"] = false },
	[xmlns_focus] = { ["bridge-session"] = false, ["ice-state"] = true },
};
local max_text = 256;  -- bytes; a SHA-512 fingerprint has 191

-- Leave out of a <jingle> the elements that no line names, and text where none belongs.
local function leave_out_unknown(element, keeps_text)
	local text = keeps_text and element:get_text();
	element:maptags(function(child)
		local known = elements[child.attr.xmlns];
		local with_text = known and known[child.name];
		return with_text ~= nil and leave_out_unknown(child, with_text) or nil;
	end);
	local tags = {};
	for i, child in ipairs(element.tags) do tags[i] = child; end
	for i = #element, 1, -1 do element[i] = nil; end
	for i = #element.tags, 1, -1 do element.tags[i] = nil; end
	for _, child in ipairs(tags) do element:add_direct_child(child); end
	if text and #text <= max_text then element[#element + 1] = text; end
	return element;
end

return {
	begin_removal = begin_removal; check_jingle = check_jingle; check_removal = check_removal;
	check_source_info = check_source_info; end_offer = end_offer; end_removal = end_removal;
	leave_out_unknown = leave_out_unknown; mark_unwanted = mark_unwanted; unwanted = unwanted; withdraw = withdraw;
	xmlns_jingle = xmlns_jingle;
};
