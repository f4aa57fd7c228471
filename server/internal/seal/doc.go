// Package seal encrypts what others carry for this server.
package seal
