// Package web renders the pages that people see, in their language and in the operator's colours.
//
// It knows nothing of sessions or storage: handlers pass it a [View], and it renders HTML. The text of an internal error is
// never sent to a browser.
package web
