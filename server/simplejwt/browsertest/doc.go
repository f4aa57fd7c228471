// Package browsertest shows the refresh token's cookie to a real browser.
package browsertest
