// Appended to the image's config.js. Rendered by `tillit render-jitsi-config`. How it looks, never what is allowed.
Object.assign(config, @{config});
config.bosh = '/http-bind';
config.websocket = 'wss://' + window.location.host + '/xmpp-websocket';
// Each brand's Jitsi Meet stands one level below the brand's own host, which knows the brand's look.
config.dynamicBrandingUrl = 'https://' + window.location.host.replace(/^[^.]+\./, '') + '/jitsi/branding.json';
