package web

// Outside is the page for a user who may not use an application: they are in none of the groups that it requires. The form has a button named
// decision with the value deny.
type Outside struct {
	Action   string
	Hidden   []Field
	Username string
	Client   ClientInfo
	// AccountURL is where the user can ask; empty if it is not known.
	AccountURL string
	// Device means that it is a device that waits, and not an application to go back to.
	Device  bool
	Locales string
}

func (Outside) page() string { return "outside" }

func (v Outside) asks() demands {
	return demands{Way: Way{Locales: v.Locales, Look: v.Client.look(), Away: !v.Device}}
}

func (v Outside) cleaned() View {
	v.Username, v.Client, v.AccountURL = clean(v.Username, maxUsername), v.Client.cleaned(), webLink(v.AccountURL)
	return v
}
