package clienttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

// serveTrusting runs a website on this machine, over https, and a server that trusts its certificate and may go there.
func serveTrusting(t *testing.T, website http.Handler) (l *latchkey, address string) {
	t.Helper()
	folder := t.TempDir()
	server := httptest.NewUnstartedServer(website)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate(t, folder, "localhost")}}
	server.StartTLS()
	t.Cleanup(server.Close)
	l = serveIn(t, []string{"SSL_CERT_FILE=" + filepath.Join(folder, "ca.pem"), "LATCHKEY_OUTBOUND_ALLOW=127.0.0.0/8"})
	return l, server.URL
}

// certificate is for a website; what it is trusted by is written to folder/ca.pem.
func certificate(t *testing.T, folder, host string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "ca.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
