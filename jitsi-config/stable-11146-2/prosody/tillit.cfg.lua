-- Options of our modules, for every host. Rendered by `tillit render-jitsi-config`; included in the global section.
tillit_issuer = "@{issuer}"
tillit_audience = "@{audience}"
tillit_join_algorithm = "RS256"
tillit_join_keys = "@{sidecar}/internal/prosody/join-keys.json"
tillit_control_keys = "@{sidecar}/internal/prosody/control-keys.json"
tillit_control_issuer = "@{issuer}"
tillit_control_audience = "@{shard_name}"
tillit_events_url = "@{events_url}"
tillit_events_key = "@{events_key}"
tillit_events_issuer = "@{shard_name}"
tillit_events_audience = "@{events_audience}"
tillit_admission_url = "@{sidecar}/internal/prosody/admissions"
tillit_muc_host = "@{muc_domain}"
tillit_trusted_jids = { "focus@@{auth_domain}", "jvb@@{auth_domain}", "recorder@@{hidden_domain}" }
tillit_inside_hosts = { "@{auth_domain}", "@{hidden_domain}" }
tillit_recorders = { "recorder@@{hidden_domain}" }
token_verification_allowlist = { "recorder@@{hidden_domain}" } -- Jitsi's own door: one account, which has no token
