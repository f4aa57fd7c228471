// Package login is the page that asks who the user is.
package login
