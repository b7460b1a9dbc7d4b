// Appended to the image's interface_config.js. Rendered by `tillit render-jitsi-config`.
Object.assign(interfaceConfig, @{interface});
