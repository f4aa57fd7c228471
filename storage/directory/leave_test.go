package directory_test

import (
	"testing"

	"latchkey/server/servertest"
	"latchkey/server/users/external"
	"latchkey/storage"
)

// Who leaves Django imports the users and goes on without its table: the sessions live on, and so does everybody's password.
func TestLeavingDjango(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, site *site) {
		s := site.serve(servertest.Configure(stringIDs))
		session := login(s, "ada", "secret").Expect(200).String("refresh")
		session = s.RefreshSimpleJWT(session).Expect(200).String("refresh")
		importer := external.Importer{Store: site.store, Now: s.Clock.Now}
		results, err := importer.Import(t.Context(), storage.Import{}, []external.User{
			{Key: site.key, Username: "ada", Active: true, Hash: site.text(`SELECT password FROM auth_user WHERE username = 'ada'`)},
			{Key: site.other, Username: "bob", Active: true, Hash: site.text(`SELECT password FROM auth_user WHERE username = 'bob'`)},
		})
		if err != nil || !results[0].Imported || results[0].Created || !results[1].Created {
			t.Fatalf("%+v, %v", results, err)
		}
		if site.config.DB == nil {
			site.store = site.open(site.url) // a store whose statements read Django's table goes on doing so
		}
		alone := servertest.New(t, servertest.Store(site.store), servertest.Bare(), servertest.Configure(stringIDs))
		site.do(`DROP TABLE auth_user_groups; DROP TABLE auth_user`)
		alone.RefreshSimpleJWT(session).Expect(200)
		login(alone, "ada", "secret").Expect(200)
		login(alone, "bob", "secret").Expect(200)
	})
}
