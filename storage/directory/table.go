package directory

// Table says where the users of a site are.
type Table struct {
	Name string
	// Columns are the columns by the fields of auth_user: id, username, password, email, first_name, last_name, is_active, is_staff,
	// last_login and date_joined, and email_verified, which is not one of them. The first three are needed; a field that the table does not have is "".
	Columns map[string]string
	// KeyType is the type of the key in the model, such as AutoField or UUIDField; empty if it is not known.
	KeyType string
	// Groups is the table that joins users and groups, with the columns of both; "" for none.
	Groups, GroupsUser, GroupsGroup string
}
