-- What a person's client asks for, act by act, and the permission each act needs. Deny by default: what no line
-- here names is refused. Pure: a stanza, a set of permissions and where we are go in, a verdict comes out:
--   { allow = true, record = kind or nil, data = table or nil }  or  { rule =, condition = }

local jid = require "util.jid";
local hex_sha256 = require "util.hashes".sha256;
local st = require "util.stanza";
local side_messages = module:require "tillit/side_messages";

local xmlns_disco_info = "http://jabber.org/protocol/disco#info";
local xmlns_disco_items = "http://jabber.org/protocol/disco#items";
local xmlns_muc_user = "http://jabber.org/protocol/muc#user";
local xmlns_jitmeet = "http://jitsi.org/jitmeet";
local max_body = 8192;  -- bytes

local function refused(rule, condition) return { rule = rule, condition = condition or "forbidden" }; end
local passed = { allow = true };

-- An act that is recorded. target: the participant it is done to, where it is done to one.
local function done(kind, permission, target)
	return { allow = true, record = "act.done", data = { type = kind, rule = permission, target = target } };
end

-- Replace the text of a checked element, and with that everything in it.
local function set_text(element, text)
	for i = #element, 1, -1 do element[i] = nil; end
	for i = #element.tags, 1, -1 do element.tags[i] = nil; end
	element[1] = text;
end

-- Leave of a checked element the attributes that were read.
local function keep_attributes(element, names)
	local kept = { xmlns = element.attr.xmlns };
	for _, name in ipairs(names) do kept[name] = element.attr[name]; end
	element.attr = kept;
end

-- Where a stanza goes, in words. here: { host =, muc =, lobby =, focus =, services = { host -> name }, room =,
-- self = full JID, nick = occupant's nick or nil, who_is = function from a nick in the room to a participant's id or
-- nil, whose = the same from the JID of a connection }.
local function target_of(to, here)
	if to == nil then return "self"; end
	local node, host, resource = jid.split(to);
	if not node then
		if host == here.host then return "server"; end
		if host == here.muc and not resource then return "muc"; end
		if host == here.focus then return "focus_service"; end
		return here.services[host] and not resource and "service_" .. here.services[host] or "elsewhere";
	end
	if host == here.muc or host == here.lobby then
		local prefix = host == here.lobby and "lobby_" or "";
		if node ~= here.room then return "foreign_room"; end
		if not resource then return prefix .. "room"; end
		return prefix == "" and resource == "focus" and "focus" or prefix .. "occupant";
	end
	if jid.bare(to) == jid.bare(here.self) then return "self"; end
	return "elsewhere";
end

local jingle_actions = {
	["session-accept"] = true, ["session-info"] = true, ["session-terminate"] = true, ["transport-info"] = true,
	["transport-accept"] = true, ["transport-reject"] = true, ["source-add"] = true, ["source-remove"] = true,
};

local function allow() return passed; end

local function jingle(payload)
	return jingle_actions[payload.attr.action] and passed or refused("unknown-jingle");
end

local function jibri(payload, may)
	local action, mode = payload.attr.action, payload.attr.recording_mode;
	if action ~= "start" and action ~= "stop" and action ~= "status" then return refused("unknown-request"); end
	if mode == "stream" or payload.attr.streamid or payload.attr.you_tube_broadcast_id then
		return refused("streaming");
	end
	if mode ~= nil and mode ~= "file" then return refused("unknown-request"); end
	if not may.record then return refused("record"); end
	set_text(payload, nil);
	keep_attributes(payload, { "action", "recording_mode" });
	return done("record." .. action, "record");
end

local function mute(payload, may, here)
	local whom = payload.attr.jid;
	local node, host, resource = jid.split(whom);
	-- Only ever on: nobody opens another's microphone.
	if not resource or host ~= here.muc or node ~= here.room or payload:get_text() ~= "true" then
		return refused("unknown-request");
	end
	set_text(payload, "true");
	keep_attributes(payload, { "jid" });
	if resource == here.nick then return passed; end
	if not may.mute_others then return refused("mute_others"); end
	return done("mute", "mute_others", here.who_is(resource));
end

local function dial(payload, may, here)
	if payload.attr.to ~= "jitsi_meet_transcribe" then return refused("dial"); end
	local header = payload.tags[1];
	if #payload.tags ~= 1 or header.name ~= "header" or header.attr.name ~= "JvbRoomName" then
		return refused("unknown-child");
	end
	if header.attr.value ~= here.room .. "@" .. here.muc then return refused("wrong-room"); end
	if not may.transcribe then return refused("transcribe"); end
	set_text(header, nil);
	keep_attributes(header, { "name", "value" });
	set_text(payload, nil);
	payload:add_direct_child(header);
	keep_attributes(payload, { "to", "from" });
	return done("transcribe", "transcribe");
end

local function conference(payload, _, here)
	if payload.attr.room ~= here.room .. "@" .. here.muc then return refused("wrong-room"); end
	for _, child in ipairs(payload.tags) do
		if child.name ~= "property" or #child > 0 then return refused("unknown-child"); end
	end
	return passed;
end

-- Say whether a query puts one nick out of a room: a role of none. Every other role or affiliation is a grant.
local function puts_out(payload)
	local item = payload:get_child("item");
	return item ~= nil and #payload.tags == 1 and item.attr.affiliation == nil and item.attr.role == "none"
		and item.attr.nick ~= nil;
end

-- Nobody is put out of the room this way: it would not last, since a new token lets them in again. Who may expel asks
-- the sidecar, which ends the person's place.
local function kick(payload) return refused(puts_out(payload) and "kick" or "grant"); end

-- Send away whoever waits in the lobby, without words on the way.
local function deny(payload, may)
	if not puts_out(payload) then return refused("grant"); end
	if not may.admit then return refused("admit"); end
	set_text(payload.tags[1], nil);
	keep_attributes(payload.tags[1], { "nick", "role" });
	return done("deny", "admit");
end

local function credentials(_, may)
	return may.send_file and passed or refused("send_file");
end

local requests = {
	["self get jabber:iq:roster query"] = allow,
	["self set urn:ietf:params:xml:ns:xmpp-session session"] = allow,
	["server set urn:ietf:params:xml:ns:xmpp-session session"] = allow,
	["self get urn:xmpp:ping ping"] = allow,
	["server get urn:xmpp:extdisco:2 services"] = allow,
	["server get urn:xmpp:extdisco:1 services"] = allow,
	["server get urn:xmpp:extdisco:2 credentials"] = credentials,
	["focus_service set http://jitsi.org/protocol/focus conference"] = conference,
	["focus set urn:xmpp:jingle:1 jingle"] = jingle,
	["focus set http://jitsi.org/protocol/jibri jibri"] = jibri,
	["focus set http://jitsi.org/jitmeet/audio mute"] = mute,
	["focus set http://jitsi.org/jitmeet/video mute"] = mute,
	["focus set http://jitsi.org/jitmeet/desktop mute"] = mute,
	["focus set urn:xmpp:rayo:1 dial"] = dial,
	["room set http://jabber.org/protocol/muc#admin query"] = kick,
	["lobby_room set http://jabber.org/protocol/muc#admin query"] = deny,
};
for _, target in ipairs({ "server", "muc", "room", "focus", "focus_service" }) do
	requests[target .. " get urn:xmpp:ping ping"] = allow;
	requests[target .. " get " .. xmlns_disco_info .. " query"] = allow;
	requests[target .. " get " .. xmlns_disco_items .. " query"] = allow;
end

-- Why a request that no line names was refused, for the log: the rows of the table people will look for.
local why_unknown = {
	["room http://jabber.org/protocol/muc#owner"] = "room-configuration",
	["lobby_room http://jabber.org/protocol/muc#owner"] = "room-configuration",
};

local function judge_answer(stanza, target)
	if target ~= "focus" and target ~= "focus_service" and target ~= "server" and target ~= "self"
	and target ~= "room" then
		return refused("answer-elsewhere");
	end
	local is_error = stanza.attr.type == "error";
	for _, child in ipairs(stanza.tags) do
		if not is_error and child.attr.xmlns ~= xmlns_disco_info then return refused("unknown-child"); end
	end
	if is_error then  -- what was asked need not travel back with it
		stanza:maptags(function(child) return child.name == "error" and child or nil; end);
	end
	return passed;
end

local function judge_iq(stanza, may, here)
	local kind, target = stanza.attr.type, target_of(stanza.attr.to, here);
	if kind == "result" or kind == "error" then return judge_answer(stanza, target); end
	if kind ~= "get" and kind ~= "set" or #stanza.tags ~= 1 then return refused("unknown-request", "bad-request"); end
	local payload = stanza.tags[1];
	local xmlns = payload.attr.xmlns or "";
	if target == "occupant" and xmlns == "urn:xmpp:jingle:1" then
		return refused("peer-to-peer", "service-unavailable");  -- media between two clients pass every gate by
	end
	local rule = requests[target .. " " .. kind .. " " .. xmlns .. " " .. payload.name];
	if not rule then
		return refused(why_unknown[target .. " " .. xmlns] or target == "foreign_room" and "wrong-room" or "unknown-request");
	end
	return rule(payload, may, here);
end

-- Children of a chat message, and the permission each needs beside the one to chat.
local chat_children = {
	["body|"] = {}, ["origin-id|urn:xmpp:sid:0"] = {}, ["reply|urn:xmpp:reply:0"] = {},
	["fallback|urn:xmpp:fallback:0"] = {}, ["reactions|urn:xmpp:reactions:0"] = { needs = "react" },
	["nick|http://jabber.org/protocol/nick"] = { rewrite = true },
	["x|" .. xmlns_muc_user] = { rewrite = true },
	-- What was said stays said: the chat of a meeting is kept.
	["retract|urn:xmpp:message-retract:1"] = { never = "retract" },
	["retract|urn:xmpp:message-retract:0"] = { never = "retract" },
	["apply-to|urn:xmpp:fasten:0"] = { never = "retract" },
	["replace|urn:xmpp:message-correct:0"] = { never = "edit" },
	["subject|"] = { never = "room-configuration" }, ["json-message|" .. xmlns_jitmeet] = { never = "side-message" },
};

local max_name = 128;  -- bytes of an id or an address
local max_reactions = 3;
local max_reaction = 16;  -- bytes: one picture with its shade

-- What begins a reaction, from and to: pictures. No letters among them, not even those of flags.
local pictures = { { 0x2600, 0x27bf }, { 0x2b00, 0x2bff }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1faff } };
local joiners = { [0x200d] = true, [0xfe0f] = true };

local function is_reaction(text)
	if text == "" or #text > max_reaction or not utf8.len(text) then return false; end
	for at, code in utf8.codes(text) do
		local known = at > 1 and joiners[code];
		for _, range in ipairs(pictures) do known = known or code >= range[1] and code <= range[2]; end
		if not known then return false; end
	end
	return true;
end

local function is_name(text) return text == nil or #text <= max_name and text:find("^[%w%p]+$") ~= nil; end

-- Return a child of a chat message with what we read of it and nothing else, or nil and a rule.
local function copy_child(child)
	local attr = child.attr;
	for _, name in ipairs({ "id", "to", "for" }) do
		if not is_name(attr[name]) then return nil, "unknown-id"; end
	end
	local copy = st.stanza(child.name, { xmlns = attr.xmlns, id = attr.id, to = attr.to, ["for"] = attr["for"] });
	if child.name == "reactions" then
		for each in child:childtags("reaction") do
			local text = each:get_text() or "";
			if not is_reaction(text) then return nil, "unknown-reaction"; end
			copy:text_tag("reaction", text);
		end
		if #copy.tags > max_reactions then return nil, "unknown-reaction"; end  -- none takes one's own back
	elseif child.name == "fallback" then
		for each in child:childtags("body") do
			local from, to = each.attr.start, each.attr["end"];
			if not ((from or "0") .. (to or "0")):find("^%d+$") then return nil, "unknown-child"; end
			copy:tag("body", { start = from, ["end"] = to }):up();
		end
	elseif child.name == "body" then
		copy:text(child:get_text() or "");
	end
	return copy;
end

-- Write a chat message's children anew, or say why not.
local function judge_words(stanza, may, permission)
	local kept, said, reacts = {}, nil, false;
	for _, child in ipairs(stanza.tags) do
		local rule = chat_children[child.name .. "|" .. (child.attr.xmlns or "")];
		if not rule then return refused("unknown-child"); end
		if rule.never then return refused(rule.never); end
		if rule.needs and not may[rule.needs] then return refused(rule.needs); end
		reacts = reacts or child.name == "reactions";
		if child.name == "body" then
			if said then return refused("given-twice"); end
			said = child:get_text() or "";
			if #said > max_body then return refused("too-long"); end
		end
		if not rule.rewrite then
			local copy, why = copy_child(child);
			if not copy then return refused(why); end
			kept[#kept + 1] = copy;
		end
	end
	if not said and not reacts then return refused("unknown-child"); end
	if said and reacts then return refused("unknown-child"); end  -- one act each, so that each is recorded
	if (said or permission ~= "chat") and not may[permission] then return refused(permission); end
	for i = #stanza, 1, -1 do stanza[i] = nil; end
	for i = #stanza.tags, 1, -1 do stanza.tags[i] = nil; end
	for _, child in ipairs(kept) do stanza:add_direct_child(child); end
	if not said then return done("reaction", "react"); end
	local kind = permission == "chat" and "chat.sent" or "chat.sent_private";
	return { allow = true, record = kind, data = { digest = hex_sha256(said, true), chars = utf8.len(said) or #said } };
end

-- Letting somebody in from the lobby: to whom, and not a word with it.
local function judge_invite(stanza, may, here)
	local x = stanza:get_child("x", xmlns_muc_user);
	local invite = x and x.tags[1];
	if #stanza.tags ~= 1 or not invite or #x.tags ~= 1 or invite.name ~= "invite" or not is_name(invite.attr.to) then
		return refused("unknown-child");
	end
	if not may.admit then return refused("admit"); end
	local whom = invite.attr.to;
	for i = #stanza, 1, -1 do stanza[i] = nil; end
	for i = #stanza.tags, 1, -1 do stanza.tags[i] = nil; end
	stanza:tag("x", { xmlns = xmlns_muc_user }):tag("invite", { to = whom }):up():up();
	return done("admit", "admit", here.whose(whom));
end

local function only_child(stanza, name)
	return #stanza.tags == 1 and stanza.tags[1].name == name and stanza.tags[1] or nil;
end

local function json_service(element_name, read)
	return function(stanza, may, here)
		local element = only_child(stanza, element_name);
		if not element then return refused("unknown-child"); end
		local room = element.attr.room;
		if room and room ~= here.room .. "@" .. here.muc then return refused("wrong-room"); end
		local text, permission = read(element:get_text());
		if not text then return refused(permission); end
		if not may[permission] then return refused(permission); end
		set_text(element, text);
		return done(element_name, permission);
	end
end

local add_file = json_service("file-sharing", side_messages.file);

local function judge_file(stanza, may, here)
	local element = only_child(stanza, "file-sharing");
	if not element then return refused("unknown-child"); end
	if element.attr.type == "remove" and element.attr.fileId then
		if not may.send_file then return refused("send_file"); end
		set_text(element, nil);
		return done("file.remove", "send_file");
	end
	return element.attr.type == "add" and add_file(stanza, may, here) or refused("unknown-side-message");
end

local function judge_moderation(stanza, may, here)
	local element = only_child(stanza, "av_moderation");
	if not element then return refused("unknown-child"); end
	local room, media = element.attr.room, element.attr.mediaType;
	if room and room ~= here.room .. "@" .. here.muc then return refused("wrong-room"); end
	if media ~= "audio" and media ~= "video" and media ~= "desktop" then return refused("unknown-side-message"); end
	if not may.mute_others then return refused("mute_others"); end
	local whom = element.attr.jidToWhitelist or element.attr.jidToBlacklist;
	set_text(element, nil);
	return done("av_moderation", "mute_others", whom and here.who_is(jid.resource(whom)));
end

local function judge_end(stanza, may)
	if not only_child(stanza, "end_conference") then return refused("unknown-child"); end
	if not may.end_meeting then return refused("end_meeting"); end
	set_text(stanza.tags[1], nil);
	return done("end_meeting", "end_meeting");
end

local services = {
	service_polls = json_service("json-message", side_messages.poll),
	service_metadata = json_service("room_metadata", side_messages.metadata),
	service_filesharing = judge_file,
	service_avmoderation = judge_moderation,
	service_endconference = judge_end,
	service_breakout = function() return refused("breakout"); end,
	service_speakerstats = function() return refused("speaker-statistics"); end,
};

local function judge_message(stanza, may, here)
	local kind, target = stanza.attr.type or "normal", target_of(stanza.attr.to, here);
	if kind == "error" then return refused("unknown-message"); end
	if services[target] then return services[target](stanza, may, here); end
	if target == "room" and kind == "groupchat" then return judge_words(stanza, may, "chat"); end
	if target == "room" and kind == "normal" then return judge_invite(stanza, may, here); end
	if target == "occupant" and kind == "chat" then return judge_words(stanza, may, "private_chat"); end
	if target == "lobby_room" or target == "lobby_occupant" then
		if not may.admit then return refused("admit"); end
		if target == "lobby_room" and kind == "groupchat" then return judge_words(stanza, may, "chat"); end
		if target == "lobby_occupant" and kind == "chat" then return judge_words(stanza, may, "private_chat"); end
	end
	if target == "elsewhere" or target == "self" then return refused("direct-message"); end
	return refused(target == "foreign_room" and "wrong-room" or "unknown-message");
end

-- Say whether a presence may go where it goes; what is in it is presence_rules' matter.
local function judge_presence(stanza, may, here)
	local kind, target = stanza.attr.type, target_of(stanza.attr.to, here);
	if kind ~= nil and kind ~= "unavailable" then return refused("unknown-presence"); end
	if target == "self" then return kind == "unavailable" and passed or refused("unknown-presence"); end
	if target == "occupant" then
		if here.nick and here.nick ~= jid.resource(stanza.attr.to) then return refused("nick-change", "not-acceptable"); end
		return passed;
	end
	if target == "room" and kind == "unavailable" then return passed; end
	if target == "lobby_occupant" or target == "lobby_room" then
		return may.admit and passed or refused("admit");
	end
	local host = jid.host(stanza.attr.to);
	if host == here.breakout then return refused("breakout"); end
	return refused(target == "foreign_room" and "wrong-room" or "unknown-presence");
end

local judges = { iq = judge_iq, message = judge_message, presence = judge_presence };

local function judge(stanza, may, here) return judges[stanza.name](stanza, may, here); end

return { judge = judge; target_of = target_of };
