package oauth

import "latchkey/server/route"

// The paths of the endpoints, behind the issuer.
const (
	AuthorizePath     = route.AuthorizePath
	PushPath          = "/oauth2/par"
	DevicePath        = "/oauth2/device_authorization"
	TokenPath         = "/oauth2/token"
	RevokePath        = "/oauth2/revoke"
	IntrospectPath    = "/oauth2/introspect"
	RegisterPath      = "/oauth2/register"
	RegisteredPath    = RegisterPath + "/{client_id}"
	UserInfoPath      = "/oauth2/userinfo"
	LogoutPath        = route.LogoutPath
	JWKSPath          = "/oauth2/jwks"
	ResourcesPath     = "/oauth2/resources"
	OAuthMetadataPath = "/.well-known/oauth-authorization-server"
	OpenIDConfigPath  = "/.well-known/openid-configuration"
)
