// go-oidc: judges each line of standard input. ISSUER=... AUDIENCE=... go run .
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
)

func isAccessToken(text string) bool {
	var header struct{ Typ string }
	encoded, _, _ := strings.Cut(text, ".")
	bytes, err := base64.RawURLEncoding.DecodeString(encoded)
	return err == nil && json.Unmarshal(bytes, &header) == nil && header.Typ == "at+jwt"
}

func main() {
	ctx := context.Background()
	issuer, algorithm := os.Getenv("ISSUER"), os.Getenv("ALGORITHM")
	if algorithm == "" {
		algorithm = "ES256"
	}
	jwksURI := os.Getenv("JWKS_URI")
	if jwksURI == "" {
		jwksURI = issuer + "/.well-known/jwks.json"
	}
	verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, jwksURI), &oidc.Config{
		ClientID:             os.Getenv("AUDIENCE"),
		SupportedSigningAlgs: []string{algorithm},
	})
	verify := func(text string) error {
		if _, err := verifier.Verify(ctx, text); err != nil {
			return err
		}
		// The library is made for ID tokens and checks no typ.
		if !isAccessToken(text) {
			return errors.New("no access token")
		}
		return nil
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 65536), 65536)
	for lines.Scan() {
		if verify(lines.Text()) == nil {
			fmt.Println("accept")
		} else {
			fmt.Println("refuse")
		}
	}
}
