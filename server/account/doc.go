// Package account is the page where users see what is signed in in their name, and end it.
//
// Every action is bound to the user of the browser session: the ID of a stranger's session, or of an application that the
// user has nothing to do with, does nothing. A page of another site can't send the forms: see route.Router.Page.
package account
