package logo_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/clients"
	"latchkey/server/internal/safehttp"
	"latchkey/server/logo"
	"latchkey/server/route"
	"latchkey/storage"
)

// world has clients, and the hosts of their logos.
type world struct {
	mu      sync.Mutex
	clients map[string]*clients.Client
	logos   map[string][]byte // by URL
	header  http.Header
	fetches []string
	last    safehttp.Options
	gate    chan struct{}
	now     time.Time
}

func (w *world) Client(_ context.Context, id string) (*clients.Client, error) {
	if id == "away" {
		return nil, storage.ErrUnavailable
	}
	c, ok := w.clients[id]
	if !ok {
		return nil, storage.ErrNotFound
	}
	return c, nil
}

func (w *world) Get(_ context.Context, u string, o safehttp.Options) (*safehttp.Response, error) {
	w.mu.Lock()
	w.fetches, w.last = append(w.fetches, u), o
	body, gate := w.logos[u], w.gate
	w.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if body == nil || int64(len(body)) > o.MaxBytes {
		return nil, safehttp.ErrFetch
	}
	return &safehttp.Response{Header: w.header, Body: body}, nil
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) set(u string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.logos[u] = body
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) wantFetches(t *testing.T, n int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.fetches) != n {
		t.Errorf("%d fetches, want %d", len(w.fetches), n)
	}
}

func newWorld() *world {
	return &world{clients: map[string]*clients.Client{}, logos: map[string][]byte{}, now: time.Now()}
}

func (w *world) add(id, uri string) *clients.Client {
	c := &clients.Client{ID: id, Version: 1, Origin: storage.OriginRegistration, Metadata: clients.Metadata{LogoURI: uri}}
	w.clients[id] = c
	return c
}

func (w *world) proxy(maxBytes int) *logo.Proxy {
	return logo.New(logo.Config{Clients: w, HTTP: w, Now: w.clock, BasePath: "/auth", MaxBytes: maxBytes})
}

func show(t *testing.T, p *logo.Proxy, id string) (*httptest.ResponseRecorder, error) {
	t.Helper()
	rec := httptest.NewRecorder()
	err := p.Serve(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, logo.Path+"?client_id="+url.QueryEscape(id), nil))
	return rec, err
}

func shown(t *testing.T, p *logo.Proxy, id string, body []byte) {
	t.Helper()
	if rec, err := show(t, p, id); err != nil || !bytes.Equal(rec.Body.Bytes(), body) {
		t.Errorf("%s: %d bytes, %v", id, rec.Body.Len(), err)
	}
}

func hidden(t *testing.T, p *logo.Proxy, id string) {
	t.Helper()
	rec, err := show(t, p, id)
	var e *route.Error
	if !errors.As(err, &e) || e.Status != http.StatusNotFound || rec.Body.Len() != 0 {
		t.Errorf("%s: %v, %q", id, err, rec.Body)
	}
}

func picture(t *testing.T, format string, side int) []byte {
	t.Helper()
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White})
	var b bytes.Buffer
	var err error
	switch format {
	case "png":
		err = png.Encode(&b, img)
	case "jpeg":
		err = jpeg.Encode(&b, img, nil)
	case "gif":
		err = gif.Encode(&b, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webp is the beginning of a WebP file, which is all that is looked at.
func webp(chunk string, width, height uint32) []byte {
	le := binary.LittleEndian
	b := append([]byte("RIFF\x00\x00\x00\x00WEBP"), chunk+"\x00\x00\x00\x00"...)
	switch chunk {
	case "VP8X":
		b = append(b, 0, 0, 0, 0)
		b = append(b, le.AppendUint32(nil, width-1)[:3]...)
		b = append(b, le.AppendUint32(nil, height-1)[:3]...)
	case "VP8L":
		b = append(b, 0x2f)
		b = le.AppendUint32(b, width-1|(height-1)<<14)
	case "VP8 ":
		b = append(b, 0, 0, 0, 0x9d, 1, 0x2a)
		b = le.AppendUint16(b, uint16(width))
		b = le.AppendUint16(b, uint16(height)|1<<14) // scaled
	}
	return append(b, make([]byte, 20)...)
}

func TestPictures(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.proxy(0)
	for kind, body := range map[string][]byte{
		"image/png": picture(t, "png", 48), "image/jpeg": picture(t, "jpeg", 48), "image/gif": picture(t, "gif", 48),
		"image/webp": webp("VP8X", 2048, 48), "image/webp ": webp("VP8L", 48, 2048), "image/webp  ": webp("VP8 ", 48, 2000),
	} {
		u := "https://cdn.example/" + kind
		w.add(kind, u)
		w.set(u, body)
		rec, err := show(t, p, kind)
		if err != nil || !bytes.Equal(rec.Body.Bytes(), body) {
			t.Errorf("%s: %v", kind, err)
		}
		for name, want := range map[string]string{
			"Content-Type": strings.TrimSpace(kind), "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox",
			"Cache-Control": "private, max-age=3600", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := rec.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", kind, name, got)
			}
		}
	}
	if w.last.Trusted || w.last.AllowHTTP || w.last.MaxBytes != 64<<10 {
		t.Errorf("%+v", w.last)
	}
}

func TestWhatIsNoPicture(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.proxy(0)
	bomb := picture(t, "png", 48)
	binary.BigEndian.PutUint32(bomb[16:], 60000) // the width in IHDR; its checksum is wrong then, which not all readers mind
	for name, body := range map[string][]byte{
		"svg":  []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`),
		"xml":  []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`),
		"html": []byte("<!doctype html><script>alert(1)</script>"), "bmp": append([]byte("BM"), make([]byte, 60)...),
		"icon": append([]byte{0, 0, 1, 0}, make([]byte, 60)...), "text": []byte("hello"), "empty": {},
		"html behind a picture's name": []byte("GIF89a<script>alert(1)</script>"), "a few bytes of png": picture(t, "png", 48)[:12],
		"too wide": picture(t, "png", 2049), "a bomb": bomb, "too high": webp("VP8X", 1, 16384), "too wide webp": webp("VP8L", 16384, 1),
		"too large webp": webp("VP8 ", 16383, 16383), "unknown webp": webp("XXXX", 1, 1), "too many bytes": append(picture(t, "png", 48), make([]byte, 64<<10)...),
	} {
		u := "https://cdn.example/" + name
		w.add(name, u)
		w.set(u, body)
		hidden(t, p, name)
	}
}

func TestOnlyRegisteredClients(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.proxy(0)
	w.add("disabled", "https://cdn.example/d").Disabled = true
	w.set("https://cdn.example/d", picture(t, "png", 48))
	w.add("without", "")
	for _, id := range []string{"", "nobody", "https://cdn.example/d", "disabled", "without"} {
		hidden(t, p, id)
	}
	w.wantFetches(t, 0)
	if _, err := show(t, p, "away"); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("the database is away: %v", err)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.proxy(0)
	c := w.add("https://a.example/c?x=1&y", "https://cdn.example/l")
	if got := p.URL(c); got != "/auth/logo?client_id=https%3A%2F%2Fa.example%2Fc%3Fx%3D1%26y" {
		t.Error(got)
	}
	if got := p.URL(w.add("without", "")); got != "" {
		t.Error(got)
	}
	c.Version = 0 // a document that is not kept
	if got := p.URL(c); got != "" {
		t.Error(got)
	}
}

func TestKeptAndFetchedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld()
	p := w.proxy(0)
	const u = "https://cdn.example/l"
	c := w.add("app", u)
	hidden(t, p, "app")
	hidden(t, p, "app")
	w.wantFetches(t, 1) // that there is none is kept too
	first, second := picture(t, "png", 48), picture(t, "gif", 48)
	w.set(u, first)
	w.pass(10 * time.Minute)
	shown(t, p, "app", first)
	w.set(u, second)
	w.pass(24*time.Hour - time.Second)
	shown(t, p, "app", first)
	w.wantFetches(t, 2)
	w.set(u, nil)
	w.pass(time.Second)
	shown(t, p, "app", first) // its host is away
	shown(t, p, "app", first)
	w.wantFetches(t, 3)
	w.set(u, second)
	w.pass(10 * time.Minute)
	shown(t, p, "app", second)
	// Another URL is another logo, and another trust another fetch.
	c.LogoURI = "https://cdn.example/other"
	hidden(t, p, "app")
	c.LogoURI, c.Origin = u, storage.OriginOperator
	shown(t, p, "app", second)
	if !w.last.Trusted {
		t.Errorf("%+v", w.last)
	}
	w.wantFetches(t, 6)
}

func TestOneFetchForAllWhoLook(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.gate = make(chan struct{})
	p, body := w.proxy(0), picture(t, "png", 48)
	w.add("app", "https://cdn.example/l")
	w.set("https://cdn.example/l", body)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { shown(t, p, "app", body) })
	}
	close(w.gate)
	wg.Wait()
	w.wantFetches(t, 1)
}

// However many clients there are, the memory has its bound, and the logos looked at last are in it.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld()
	body := picture(t, "png", 48)
	body = append(body, make([]byte, 10_000-len(body))...)
	p := w.proxy(100_000)
	for i := range 100 {
		id := fmt.Sprint("app", i)
		w.add(id, "https://cdn.example/"+id)
		w.set("https://cdn.example/"+id, body)
		shown(t, p, id, body)
	}
	w.wantFetches(t, 100)
	shown(t, p, "app99", body)
	shown(t, p, "app92", body)
	w.wantFetches(t, 100)
	shown(t, p, "app80", body)
	w.wantFetches(t, 101)
}
