// Checks the manifests of examples/ with the types of those who read them: each Kubernetes object is
// decoded strictly into the type of its apiVersion and kind, and the Compose file is loaded as
// `docker compose config` does. Neither a cluster nor an engine is needed: npm run test:manifests.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	examples := os.Args[1]
	objects, err := kubernetes(filepath.Join(examples, "kubernetes", "postern.yaml"))
	check(err)
	services, err := compose(filepath.Join(examples, "compose"))
	check(err)
	fmt.Printf("%d Kubernetes objects, %d Compose services\n", objects, services)
	if objects < 3 || services < 2 {
		check(errors.New("fewer than there should be"))
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// kubernetes decodes every object of a file; an unknown or repeated field is an error.
func kubernetes(path string) (int, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	codecs := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict)
	reader := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(content)))
	defer reader.Close()
	count := 0
	buffer := make([]byte, 1<<20)
	for {
		n, err := reader.Read(buffer)
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return count, err
		}
		if _, _, err := codecs.UniversalDeserializer().Decode(buffer[:n], nil, nil); err != nil {
			return count, fmt.Errorf("%s, object %d: %w", path, count+1, err)
		}
		count++
	}
}

// compose loads a project: the schema, references between its parts, and files that it names.
func compose(folder string) (int, error) {
	options, err := cli.NewProjectOptions(
		[]string{filepath.Join(folder, "compose.yaml")},
		cli.WithWorkingDirectory(folder),
		cli.WithName("postern"),
	)
	if err != nil {
		return 0, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return 0, err
	}
	return len(project.Services), nil
}
