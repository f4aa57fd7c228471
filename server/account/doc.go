// Package account is the page where users see and end their browser sessions and the access of applications.
//
// Every action is limited to the user of the browser session: the ID of another user's session, or of an application
// without access to this user's account, has no effect. Pages of other sites can't submit the forms: see route.Router.Page.
package account
