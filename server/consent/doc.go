// Package consent is the page that asks whether an application may have what it asks for.
package consent
