package web

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Passkey is a form that the page's script fills in with the answer of an authenticator: the field answer. Without the script it is hidden.
type Passkey struct {
	Action string
	Hidden []Field
	// Options are those of navigator.credentials.get, or of create, as JSON.
	Options string
	// Create means that a passkey is to be made. It has a field for its name.
	Create bool
}

// TOTP is a form that adds an application that shows codes: the fields code and name.
type TOTP struct {
	Action string
	Hidden []Field
	// Secret is for those who type it, Address is the same for applications on this device.
	Secret, Address string
	// QR is the path of an SVG image of Size × Size.
	QR   string
	Size int
}
