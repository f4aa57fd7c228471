package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
)

// SharedKey is a key that another program, such as Django, made and uses too. It is in no database: the operator replaces it.
type SharedKey struct {
	KID       string // RFC 7638
	Algorithm string
	Public    json.RawMessage // for the key set
	key       crypto.PublicKey
	signer    *Signer // nil for a public key
}

// CanSign reports whether the private key is there.
func (f *SharedKey) CanSign() bool { return f.signer != nil }

// Signer returns what signs with the key; nil for a public key.
func (f *SharedKey) Signer() *Signer { return f.signer }

// Verify returns nil or ErrSignature. The algorithm is the key's, whatever the token says (RFC 8725 §3.1).
func (f *SharedKey) Verify(signingInput, signature []byte) error {
	if !verify(f.Algorithm, f.key, signingInput, signature) {
		return ErrSignature
	}
	return nil
}

// PEMError says what is wrong with the PEM text of a key, and what to do. It never quotes the text.
type PEMError struct{ Problem, Remedy string }

func (e *PEMError) Error() string { return e.Problem + ". " + e.Remedy }

// IsPEM reports whether a text looks like PEM.
func IsPEM(text string) bool { return strings.Contains(text, "-----BEGIN ") }

// ReadPEM reads a private key (PKCS #1, PKCS #8 or SEC 1) or a public key (PKIX, PKCS #1 or a certificate) for an algorithm. The error is a
// *PEMError.
func ReadPEM(algorithm, text string) (*SharedKey, error) {
	block, err := keyBlock(text)
	if err != nil {
		return nil, err
	}
	private, public, err := parseBlock(block)
	if err != nil {
		return nil, err
	}
	if !fits(algorithm, public) {
		return nil, misfit(algorithm, public)
	}
	f := &SharedKey{Algorithm: algorithm, key: public}
	if f.KID, err = thumbprint(public); err == nil {
		f.Public, err = publicJWK(public, f.KID, algorithm)
	}
	if err != nil {
		return nil, &PEMError{"can't be published: " + err.Error(), "Use another key."}
	}
	if private != nil {
		f.signer = newSigner(f.KID, algorithm, private)
	}
	return f, nil
}

// keyBlock returns the one block that holds a key. A variable may have the two characters \n for each line break.
func keyBlock(text string) (*pem.Block, error) {
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, `\n`, "\n")
	}
	var found *pem.Block
	for rest := []byte(strings.TrimPrefix(text, "\ufeff")); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "EC PARAMETERS" { // openssl ecparam -genkey writes it before the key
			continue
		}
		if found != nil {
			return nil, &PEMError{"has more than one key", "Leave one PEM block."}
		}
		found = block
	}
	switch {
	case found == nil && IsPEM(text):
		return nil, &PEMError{"is not whole: a PEM block begins and does not end, or its base64 is damaged", "Copy the key again, all lines from BEGIN to END."}
	case found == nil:
		return nil, &PEMError{"is not a key in PEM", "Write all lines from -----BEGIN to END-----."}
	case found.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(found.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, &PEMError{"is encrypted with a passphrase", "Write it without: openssl pkey -in KEY -out FILE, with umask 077."}
	}
	return found, nil
}

// parseBlock returns the keys of a block; private is nil for a public one.
func parseBlock(block *pem.Block) (private crypto.Signer, public crypto.PublicKey, err error) {
	var key any
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	case "OPENSSH PRIVATE KEY":
		return nil, nil, &PEMError{"is in the format of OpenSSH", "Convert a copy: ssh-keygen -p -m PKCS8 -f COPY."}
	default:
		return nil, nil, &PEMError{fmt.Sprintf("is a PEM block of the type %q", block.Type), "Use a key in PKCS #8, PKCS #1 or SEC 1: openssl pkey -in KEY -out FILE."}
	}
	if err != nil {
		return nil, nil, &PEMError{"is a PEM block that is damaged, or its key is weak or of an unknown kind", "Check it: openssl pkey -in FILE -noout -check."}
	}
	if signer, ok := key.(crypto.Signer); ok {
		return signer, signer.Public(), nil
	}
	return nil, key, nil
}

// misfit says why a key is not one of the algorithm.
func misfit(algorithm string, public crypto.PublicKey) error {
	is := "is neither RSA nor ECDSA nor Ed25519"
	switch p := public.(type) {
	case *rsa.PublicKey:
		is = fmt.Sprintf("is an RSA key of %d bits", p.N.BitLen())
		if rsaHash(algorithm) != 0 {
			return &PEMError{is + "; RFC 7518 requires 2048 or more", "Make a longer one in Django first, or leave it out: users log in once more."}
		}
	case *ecdsa.PublicKey:
		is = "is an EC key on " + p.Curve.Params().Name
	case ed25519.PublicKey:
		is = "is an Ed25519 key"
	}
	wanted := "Ed25519"
	switch c := curve(algorithm); {
	case c != nil:
		wanted = "an EC key on " + c.Params().Name
	case rsaHash(algorithm) != 0:
		wanted = "an RSA key"
	}
	return &PEMError{is + "; " + algorithm + " needs " + wanted, "Use the key and the algorithm that Django has."}
}
