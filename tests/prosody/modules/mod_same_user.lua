-- As on Jitsi, where somebody who comes back is the same XMPP user: XEP-0198 resumes nobody else's stream.

module:hook("authentication-success", function(event)
	local session = event.session;
	if session.tillit then session.username = session.tillit.id:lower(); end
end);
