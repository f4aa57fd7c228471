// Package device has the page on which users enter the code that a device shows (RFC 8628 §3.3), and allow or deny what it asks for.
package device
