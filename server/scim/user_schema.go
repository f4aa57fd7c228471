package scim

// userSchema are the attributes of users (RFC 7643 §4.1). Those that are not kept have a column of the user's row.
var userSchema = &schema{
	id: userURN, name: "User", endpoint: "/Users", description: "A person who can log in.",
	attributes: []*attribute{
		text("userName", readWrite, "The name that the user logs in with.", required, unique),
		complexOf("name", readWrite, "The parts of the user's name.", false,
			text("formatted", readWrite, "The full name, the same as displayName."),
			text("familyName", readWrite, "The family name."), text("givenName", readWrite, "The given name."),
			text("middleName", readWrite, "The middle names.", kept),
			text("honorificPrefix", readWrite, "The title before the name.", kept), text("honorificSuffix", readWrite, "The title after the name.", kept)),
		text("displayName", readWrite, "The full name, as it is shown."),
		text("nickName", readWrite, "What the user is called.", kept),
		text("profileUrl", readWrite, "The URL of a page about the user.", reference("external"), kept),
		text("title", readWrite, "The user's title, such as Vice President.", kept),
		text("userType", readWrite, "The relation to the organization, such as Contractor.", kept),
		text("preferredLanguage", readWrite, "The languages that the user reads, as in Accept-Language.", kept),
		text("locale", readWrite, "The language of the user, a tag such as de-AT.", such("en", "de")),
		text("timezone", readWrite, "The time zone of the user, such as Europe/Vienna.", exact, such("UTC", "Europe/Vienna")),
		text("active", readWrite, "Whether the user can log in. false ends their sessions.", boolean),
		text("password", writeOnly, "The password. A change ends the user's sessions.", exact, unseen),
		complexOf("emails", readWrite, "The e-mail address. There is one: the primary, else the first.", true,
			text("value", readWrite, "The address."), text("type", readWrite, "Always work.", such("work")),
			text("primary", readWrite, "Whether it is the one that is kept: of what is kept, true.", boolean)),
		several("phoneNumbers", "The phone numbers.", text("value", readWrite, "The number."), "work", "home", "mobile", "fax", "pager", "other"),
		several("ims", "The addresses for instant messages.", text("value", readWrite, "The address."), "xmpp", "skype"),
		several("photos", "The URLs of images. The primary, else the first, becomes the user's picture.",
			text("value", readWrite, "The URL.", reference("external")), "photo", "thumbnail"),
		addresses(),
		complexOf("groups", readOnly, "The groups that the user is in.", true,
			text("value", readOnly, "The id of the group.", exact), text("$ref", readOnly, "Its URI.", reference("Group")),
			text("display", readOnly, "Its name.", exact), text("type", readOnly, "direct.")),
		several("entitlements", "What the user may have. It decides nothing here.", text("value", readWrite, "What it is.")),
		several("roles", "What the user is. It decides nothing here.", text("value", readWrite, "What it is.")),
		several("x509Certificates", "The user's certificates. They decide nothing here.", text("value", readWrite, "The certificate, DER in base64.", binary)),
	},
	extension: &attribute{
		Name: enterpriseURN, Type: typeComplex, SubAttributes: enterpriseSchema.attributes, Mutability: readWrite, Returned: byDefault, kept: true, extension: true,
	},
	ignored: []string{"emails.display"},
}

// enterpriseSchema are the attributes of the extension for enterprises (RFC 7643 §4.3).
var enterpriseSchema = &schema{
	id: enterpriseURN, name: "EnterpriseUser", description: "A person in an organization.",
	attributes: []*attribute{
		text("employeeNumber", readWrite, "The number of the user in the organization."), text("costCenter", readWrite, "The cost center."),
		text("organization", readWrite, "The organization."), text("division", readWrite, "The division."), text("department", readWrite, "The department."),
		complexOf("manager", readWrite, "The user's manager.", false,
			text("value", readWrite, "The id of the manager, as the client says it.", exact),
			text("$ref", readOnly, "The manager's URI, if the value is an id of a user.", reference("User")),
			text("displayName", readWrite, "The manager's name, as the client says it.")),
	},
}

// several returns an attribute that is kept and has the sub-attributes of RFC 7643 §2.4; types are suggestions.
func several(name, description string, value *attribute, types ...string) *attribute {
	a := complexOf(name, readWrite, description, true, value,
		text("display", readWrite, "How it is shown."), text("type", readWrite, "What it is.", such(types...)),
		text("primary", readWrite, "Whether it is the first to use.", boolean))
	a.kept = true
	return a
}

// addresses returns the attribute of postal addresses (RFC 7643 §4.1.2), which have no value of their own.
func addresses() *attribute {
	a := complexOf("addresses", readWrite, "The postal addresses.", true,
		text("formatted", readWrite, "The address as it is written on a letter."), text("streetAddress", readWrite, "The street."),
		text("locality", readWrite, "The city."), text("region", readWrite, "The state or region."), text("postalCode", readWrite, "The postal code."),
		text("country", readWrite, "The country, as of ISO 3166-1: AT."), text("type", readWrite, "What it is.", such("work", "home", "other")),
		text("primary", readWrite, "Whether it is the first to use.", boolean))
	a.kept = true
	return a
}
