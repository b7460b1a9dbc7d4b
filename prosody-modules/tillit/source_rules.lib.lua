-- Which sounds and pictures a person may send, as presence and Jingle name them. Pure: stanzas and sets in, stanzas
-- and rules out. Source names are "<endpoint>-<a or v><index>"; the media type is read from the name.

local st = require "util.stanza";
local json_encode = require "util.json".encode;
local strict_json = module:require "tillit/strict_json";

local xmlns_jingle = "urn:xmpp:jingle:1";
local xmlns_rtp = "urn:xmpp:jingle:apps:rtp:1";
local xmlns_ssma = "urn:xmpp:jingle:apps:rtp:ssma:0";
local max_entries = 8;  -- in one SourceInfo; a client with everything on has three
local max_ssrcs = 20;  -- of one person, Jicofo's own limit (max-ssrcs-per-user)
local max_ssrcs_per_name = 6;  -- three layers of simulcast, each with its retransmissions

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

-- Judge one <source>. known: what was let through before; see check_jingle.
local function judge_source(source, media, endpoint, may, known)
	local kind = kind_of(source.attr.name, source.attr.videoType, endpoint);
	if not kind or (kind == "audio") ~= (media == "audio") then return nil, "unknown-source"; end
	if not tostring(source.attr.ssrc):find("^%d+$") then return nil, "unknown-source"; end
	if not allows(may, kind) then return nil, rules[kind]; end
	for name, other in pairs(known) do
		-- One microphone, one camera, one share: a second picture may lie about what it shows.
		if name ~= source.attr.name and other.kind == kind and kind ~= "audio" then return nil, "too-many-pictures"; end
	end
	return kind;
end

-- Keep of a <source> what Jicofo reads, and its parameters (cname, msid).
local function copy_source(source)
	local attr = source.attr;
	local copy = st.stanza("source", {
		xmlns = xmlns_ssma, ssrc = attr.ssrc, name = attr.name, videoType = attr.videoType,
	});
	for parameter in source:childtags("parameter") do
		copy:tag("parameter", { name = parameter.attr.name, value = parameter.attr.value }):up();
	end
	return copy;
end

-- Keep of an <ssrc-group> what it groups.
local function copy_group(group)
	local copy = st.stanza("ssrc-group", { xmlns = xmlns_ssma, semantics = group.attr.semantics });
	for member in group:childtags("source") do copy:tag("source", { ssrc = member.attr.ssrc }):up(); end
	return copy;
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
			local kind, rule = judge_source(child, media, endpoint, may, known);
			if not kind then return cut(rule); end
			local name = child.attr.name;
			-- Sources under a name that is sent already would be a second picture in its place.
			if known[name] and not found.by_name[name] then return cut("given-twice"); end
			found.ssrcs, found.by_name[name] = found.ssrcs + 1, (found.by_name[name] or 0) + 1;
			if found.ssrcs > max_ssrcs or found.by_name[name] > max_ssrcs_per_name then return cut("too-many-sources"); end
			known[name] = known[name] or { kind = kind, media = media, elements = {} };
			passed[child.attr.ssrc] = known[name];
			local copy = copy_source(child);
			table.insert(known[name].elements, copy);
			return copy;
		end
		if child.name ~= "ssrc-group" and carries_sources(child) then return cut("unknown-source"); end
		return child;
	end);
	description:maptags(function(child)
		if child.name ~= "ssrc-group" then return child; end
		local owner;
		for member in child:childtags("source") do
			owner = passed[member.attr.ssrc];
			if not owner then return nil; end  -- cut with the source it groups
		end
		if not owner then return nil; end
		local copy = copy_group(child);
		table.insert(owner.elements, copy);
		return copy;
	end);
end

-- Check a <jingle> that offers sources (source-add, session-accept, transport-accept), cutting out of it what may
-- not be sent. known: what this person sends already, name -> { kind, media, elements }; what passes is added.
-- Returns a list of the rules that cut something: empty means that all may pass.
local function check_jingle(jingle, endpoint, may, known)
	local found = { cut = {}, ssrcs = 0, by_name = {} };
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
	return found.cut;
end

-- Forget the sources a source-remove names.
local function forget_removed(jingle, known)
	for _, content in ipairs(jingle.tags) do
		local description = content:get_child("description", xmlns_rtp);
		for _, source in ipairs(description and description.tags or {}) do
			if source.name == "source" and source.attr.name then known[source.attr.name] = nil; end
		end
	end
end

-- Return a <jingle> that takes back what a person sends and may no longer send, or nil when there is nothing.
local function withdraw(sid, may, known)
	local jingle = st.stanza("jingle", { xmlns = xmlns_jingle, action = "source-remove", sid = sid });
	for _, sent in pairs(known) do
		if not allows(may, sent.kind) then
			jingle:tag("content", { name = sent.media, creator = "initiator" })
				:tag("description", { xmlns = xmlns_rtp, media = sent.media });
			for _, element in ipairs(sent.elements) do jingle:add_child(st.clone(element)); end
			jingle:up():up();
		end
	end
	return #jingle.tags > 0 and jingle or nil;
end

return {
	check_jingle = check_jingle; check_source_info = check_source_info; forget_removed = forget_removed;
	withdraw = withdraw;
	xmlns_jingle = xmlns_jingle;
};
