package password

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"latchkey/storage"
)

// TestDjango: every hash verifies just as Django says. The data are facts recorded from Django 5.2, 4.2 and 3.2.
func TestDjango(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Vectors []struct {
			Algorithm string
			Password  *storage.Secret
			Encoded   string
			Verifies  bool
			Note      string
		}
	}
	b, err := os.ReadFile("testdata/django_hashes.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	if n := len(recorded.Vectors); n != 45 {
		t.Fatalf("%d vectors, want 45", n)
	}
	h := NewHasher(Config{Workers: 4, MaxWait: hashTime})
	for _, v := range recorded.Vectors {
		password := storage.Secret("None")
		switch {
		case v.Password != nil:
			password = *v.Password
		case v.Algorithm != unusable:
			continue // Python's None is no password at all, which a login here can't send
		}
		want := v.Verifies
		t.Run(v.Algorithm+" "+v.Note, func(t *testing.T) {
			t.Parallel()
			ok, rehash, err := h.Verify(t.Context(), password, v.Encoded)
			if err != nil || ok != want {
				t.Errorf("Verify(%q) = %v, %v; want %v", v.Encoded, ok, err, want)
			}
			if rehash != ok {
				t.Errorf("needsRehash is %v for a hash of Django's that verifies: %v", rehash, ok)
			}
			if c, _ := CostOf(v.Encoded); c.N <= 1024 && c.N != 12 { // the others take seconds with -race
				if ok, _, err := h.Verify(t.Context(), password+"x", v.Encoded); err != nil || ok && v.Algorithm != bcryptPlain {
					t.Errorf("a longer password: %v, %v", ok, err)
				}
			}
			if algorithm, ok := identify(v.Encoded); ok != (want || isKnown(v.Algorithm)) {
				t.Errorf("identify = %q, %v", algorithm, ok)
			}
		})
	}
}

// TestEveryHasherOfDjangos: what CryptPasswordHasher makes, each type and version of Argon2, and unusual costs of scrypt verify just as
// Django says, and are hashed anew.
func TestEveryHasherOfDjangos(t *testing.T) {
	t.Parallel()
	var recorded struct {
		Vectors []struct {
			Algorithm, Encoded, Note string
			Password                 storage.Secret
			Verifies                 bool
		}
	}
	b, err := os.ReadFile("testdata/more_hashes.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &recorded); err != nil || len(recorded.Vectors) < 90 {
		t.Fatalf("%d vectors: %v", len(recorded.Vectors), err)
	}
	h := NewHasher(Config{Workers: 4, MaxWait: hashTime})
	for _, v := range recorded.Vectors {
		ok, rehash, err := h.Verify(t.Context(), v.Password, v.Encoded)
		if err != nil || ok != v.Verifies || rehash != ok {
			t.Errorf("%s, %s: Verify(%q) = %v, %v, %v; want %v", v.Algorithm, v.Note, v.Encoded, ok, rehash, err, v.Verifies)
		}
		if err := Check(v.Encoded); v.Verifies && err != nil {
			t.Errorf("%s, %s: %v", v.Algorithm, v.Note, err)
		}
	}
}

// identify names the algorithm of a hash string, "unusable" for the mark of a user without a password.
func identify(encoded string) (algorithm string, ok bool) {
	h, err := parse(encoded)
	return h.Algorithm, err == nil
}

func isKnown(algorithm string) bool {
	return algorithm != "unknown" && algorithm != "empty" && algorithm != "malformed"
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	salt22, tag43 := "YWJjZGVmZ2hpamtsbW5vcA", strings.Repeat("A", 43)
	bcryptText := "2b$12$abcdefghijklmnopqrstuOH16KDtPwjwKZrvdTvd4quB.WUEiapaq"
	scryptTag := strings.Repeat("A", 86) + "=="
	known := map[string]string{
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43: argon2id,
		"$argon2i$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43:  argon2i,
		"$" + bcryptText:                     bcryptPlain,
		"$2y" + bcryptText[2:]:               bcryptPlain,
		"bcrypt_sha256$$" + bcryptText:       bcryptSHA256,
		"scrypt$16384$salt$8$5$" + scryptTag: scryptName,
		"!":                                  unusable,
		"!anything":                          unusable,
		strings.Repeat("0a", 16):             unsaltedMD5,
		"sha1$$" + strings.Repeat("0a", 20):  unsaltedSHA1,
		"sha1$s$" + strings.Repeat("0a", 20): sha1Name,
		"md5$s$" + strings.Repeat("0a", 16):  md5Name,
		"$argon2d$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43:   argon2d,
		"$argon2id$m=19456,t=2,p=1$" + salt22 + "$" + tag43:       argon2id + argon2Old,
		"argon2$argon2i$v=16$m=8,t=2,p=1$" + salt22 + "$" + tag43: argon2i + argon2Old,
		"crypt$$abSjO86SitLUc":                                    desCrypt,
		"crypt$ab$abSjO86SitLUc":                                  desCrypt,
		"pbkdf2_sha1$1$s$" + "AAAAAAAAAAAAAAAAAAAAAAAAAAA=":       pbkdf2SHA1,
	}
	for encoded, want := range known {
		if got, ok := identify(encoded); !ok || got != want {
			t.Errorf("identify(%q) = %q, %v; want %q: %v", encoded, got, ok, want, Check(encoded))
		}
	}
	phc := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt22 + "$" + tag43 }
	nonsense := []string{
		"", "$", "$$", "secret", " ", strings.Repeat("z", 32), strings.Repeat("0A", 16), strings.Repeat("0", 31),
		"$argon2ds$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=18$m=19456,t=2,p=1$" + salt22 + "$" + tag43,
		"$argon2id$v=16$v=16$m=19456,t=2,p=1$" + salt22 + "$" + tag43,
		"crypt", "crypt$", "crypt$$", "crypt$$abSjO86SitLU", "crypt$$abSjO86SitLUcc", "crypt$$a*SjO86SitLUc", "crypt$$abSjO86SitLUd", "crypt$abSjO86SitLUc",
		"crypt$$$6$abc$" + scryptTag, "crypt$$$1$abcdefgh$abcdefghijklmnopqrstuv",
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43 + "=",
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43[:42] + "\n",
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43[:42] + "B", // spare bits
		"$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$AAAAAA",
		"$argon2id$v=19$m=19456,t=2,p=1$$" + tag43,
		phc("m=19456,t=2"), phc("m=19456,t=2,p=1,x=1"), phc("t=2,m=19456,p=1"), phc("m=+19456,t=2,p=1"), phc("m=,t=2,p=1"),
		phc("m=0,t=2,p=1"), phc("m=19456,t=0,p=1"), phc("m=19456,t=2,p=0"), phc("m=7,t=1,p=1"), phc("m=1024,t=1,p=129"),
		"pbkdf2_sha256$0$s$" + tag43 + "=", "pbkdf2_sha256$1$$" + tag43 + "=", "pbkdf2_sha256$1$s$" + tag43,
		"pbkdf2_sha256$-1$s$" + tag43 + "=", "pbkdf2_sha256$1_0$s$" + tag43 + "=", "pbkdf2_sha256$1$s$", "pbkdf2_sha256",
		"pbkdf2_sha256$1$s$x$" + tag43 + "=", "pbkdf2_sha512$1$s$" + tag43 + "=",
		"bcrypt$" + bcryptText, "bcrypt$$2x" + bcryptText[2:], "bcrypt$$" + bcryptText + "a", "$2b$03" + bcryptText[5:],
		"scrypt$16383$s$8$1$" + scryptTag, "scrypt$1$s$8$1$" + scryptTag, "scrypt$0$s$8$1$" + scryptTag, "scrypt$16384$s$0$1$" + scryptTag,
		"scrypt$16384$s$8$0$" + scryptTag, "scrypt$16384$$8$1$" + scryptTag,
		"md5$s$0a", "md5$$0a", "sha1$s$" + strings.Repeat("0A", 20),
		"!\x00", "md5$\x00$" + strings.Repeat("0a", 16), "md5$\xff$" + strings.Repeat("0a", 16),
		"pbkdf2_sha256$1$" + strings.Repeat("s", 600) + "$" + tag43 + "=",
	}
	for _, encoded := range nonsense {
		if got, ok := identify(encoded); ok {
			t.Errorf("identify(%q) = %q, want nothing", encoded, got)
		}
	}
}

// TestCostCaps: nothing that an import brings in can stop the server; just below the limit it is taken.
func TestCostCaps(t *testing.T) {
	t.Parallel()
	a, b := func(n, r, p int) Cost { return Cost{argon2id, n, r, p} }, func(n, r, p int) Cost { return Cost{scryptName, n, r, p} }
	const huge = 999_999_999
	for cost, want := range map[Cost]bool{
		a(1<<20, 4, 4): true, a(1<<20+1, 1, 1): false, a(1<<20, 5, 1): false, a(8, huge, 1): false, a(huge, huge, huge): false,
		a(8*65, 1, 65): false, a(8*64, 1, 64): true,
		{argon2d, 1 << 20, 1, 1}: true, {argon2d, 1 << 20, 2, 1}: false, {argon2i + argon2Old, 1 << 19, 2, 1}: true, {argon2i + argon2Old, huge, huge, 1}: false,
		b(1<<14, 8, 5): true, b(1<<20, 8, 2): true, b(1<<20, 8, 3): false, b(1<<24, 1, 1): false, b(1<<29, huge, huge): false,
		b(2, huge, 1): false, b(2, 1, huge): false,
		{pbkdf2SHA256, 10_000_000, 0, 0}: true, {pbkdf2SHA256, 10_000_001, 0, 0}: false, {pbkdf2SHA1, huge, 0, 0}: false,
		{bcryptPlain, 16, 0, 0}: true, {bcryptPlain, 17, 0, 0}: false, {bcryptSHA256, 31, 0, 0}: false,
	} {
		if err := cost.check(); (err == nil) != want {
			t.Errorf("%+v: %v", cost, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	b, err := os.ReadFile("testdata/django_hashes.json")
	if err != nil {
		f.Fatal(err)
	}
	var recorded struct{ Vectors []struct{ Encoded string } }
	if err := json.Unmarshal(b, &recorded); err != nil {
		f.Fatal(err)
	}
	for _, v := range recorded.Vectors {
		f.Add(v.Encoded)
	}
	f.Add("crypt$$abSjO86SitLUc")
	f.Add("argon2$argon2d$m=8,t=1,p=1$YWJjZGVmZ2hpamtsbW5vcA$" + strings.Repeat("A", 43))
	f.Add("$argon2id$v=19$m=8,t=1,p=1$YWJjZGVmZ2hpamtsbW5vcA$" + strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, encoded string) {
		h, err := parse(encoded)
		if err != nil {
			if len(encoded) > 20 && strings.Contains(err.Error(), encoded) {
				t.Fatalf("the error holds the string: %v", err)
			}
			return
		}
		if h.Algorithm == unusable {
			return
		}
		if h.check() != nil {
			t.Fatalf("%q passed with the cost %+v", encoded, h.Cost)
		}
		if h.Algorithm != desCrypt && (len(h.tag) < 16 || len(h.tag) > 64) {
			t.Fatalf("%q has a tag of %d bytes", encoded, len(h.tag))
		}
		cheap := h.N*max(h.R, 1)*max(h.P, 1) <= 1<<12 && !strings.HasPrefix(h.Algorithm, bcryptPlain)
		if !cheap {
			return
		}
		if _, err := h.matches("password"); err != nil {
			t.Fatalf("%q: %v", encoded, err)
		}
		if strings.HasPrefix(encoded, "$argon2") && h.fast() && h.phc() != encoded {
			t.Fatalf("%q reads as %q", encoded, h.phc())
		}
	})
}
