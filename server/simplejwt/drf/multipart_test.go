package drf

import "testing"

const typeB = "multipart/form-data; boundary=B"

var multipartB = content{header: typeB, media: parseMediaType(typeB), codec: utf8Codec}

// TestFileAtTheEndIsIncomplete: Django counts a file when it sees what follows it, the two dashes of the last separator
// for example.
func TestFileAtTheEndIsIncomplete(t *testing.T) {
	t.Parallel()
	const part = "--B\r\nContent-Disposition: form-data; name=\"refresh\"; filename=\"x\"\r\n\r\ncontent"
	for _, c := range []struct {
		end  string
		file bool
	}{
		{"\r\n--B--\r\n", true}, {"\r\n--B--", true}, {"\r\n--B\r\n", true}, {"\r\n--B", false}, {"\r\n", false}, {"", false},
	} {
		form, err := parseMultipart([]byte(part+c.end), multipartB)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := form.Get("refresh"); ok != c.file {
			t.Errorf("ends with %q: file %t, want %t", c.end, ok, c.file)
		}
	}
}
