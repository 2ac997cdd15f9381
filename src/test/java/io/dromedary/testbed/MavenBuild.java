package io.dromedary.testbed;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Somebody's own Maven, which finds our jar as it would find a release, and keeps nothing of it afterwards. */
public final class MavenBuild {
    /** The local repository of the Maven that builds. */
    public static final Path FETCHED =
            Path.of(System.getProperty("maven.repo.local", System.getProperty("user.home") + "/.m2/repository"));

    private final Path repository;
    private final Path local;
    private final Path settings;
    private final String version;

    /** @param directory gets a repository with our jar, and a local repository */
    public MavenBuild(Path directory) throws IOException {
        repository = directory.resolve("repository");
        local = directory.resolve("local-repository");
        Path jar;
        try (Stream<Path> files = Files.list(DromedaryProcess.PROJECT.resolve("target"))) {
            jar = files.filter(file -> file.getFileName().toString().matches("dromedary-[0-9.]+\\.jar"))
                    .findAny()
                    .orElseThrow();
        }
        String name = jar.getFileName().toString().replaceFirst("\\.jar$", "");
        version = name.replaceFirst("^dromedary-", "");
        Path place = Files.createDirectories(repository.resolve("io/dromedary/dromedary/" + version));
        Files.copy(jar, place.resolve(jar.getFileName()));
        Files.copy(DromedaryProcess.PROJECT.resolve("pom.xml"), place.resolve(name + ".pom"));
        StringBuilder xml = new StringBuilder();
        for (String kind : new String[] {"repositor", "pluginRepositor"}) {
            xml.append("<").append(kind).append("ies>");
            List<String> urls = repositories();
            for (int i = 0; i < urls.size(); i++) {
                xml.append("<%sy><id>files-%d</id><url>%s</url></%sy>".formatted(kind, i, urls.get(i), kind));
            }
            xml.append("</").append(kind).append("ies>");
        }
        settings = Files.writeString(
                directory.resolve("settings.xml"),
                "<settings><profiles><profile><id>files</id>" + xml
                        + "</profile></profiles><activeProfiles><activeProfile>files</activeProfile></activeProfiles>"
                        + "</settings>");
    }

    /** The class path of camel(1), without our jar, resolved by this user's Maven; {@code directory} gets it too. */
    public static String jbangClasspath(Path directory) throws IOException {
        Path classpath = directory.resolve("classpath");
        Command resolved = Command.run(
                "mvn",
                "-q",
                "-B",
                "-f",
                DromedaryProcess.PROJECT.resolve("src/test/jbang/pom.xml").toString(),
                "-Dcamel.version=" + System.getProperty("camel.version"),
                "-Dmdep.outputFile=" + classpath,
                "dependency:build-classpath");
        assertThat(resolved.exitCode()).as(resolved.errors()).isZero();
        return Files.readString(classpath);
    }

    /** The version of our jar. */
    public String version() {
        return version;
    }

    /** URLs of the repositories to look in first: one with our jar, and what this user's Maven has fetched before. */
    public List<String> repositories() {
        return List.of(repository.toUri().toString(), FETCHED.toUri().toString());
    }

    /** The property that makes Maven, and what is built on it, put what it fetches where it goes with the test. */
    public String localRepository() {
        return "-Dmaven.repo.local=" + local;
    }

    /** The class paths of the projects in these directories of ours, by their artifact ids, without their own classes. */
    public Map<String, String> classpaths(String... projects) throws IOException {
        Path all = Files.createDirectories(DromedaryProcess.PROJECT.resolve("target/classpaths"));
        StringBuilder modules = new StringBuilder();
        for (String project : projects) {
            modules.append("<module>../../").append(project).append("</module>");
        }
        Path pom = Files.writeString(
                all.resolve("pom.xml"),
                "<project xmlns='http://maven.apache.org/POM/4.0.0'><modelVersion>4.0.0</modelVersion>"
                        + "<groupId>io.dromedary.test</groupId><artifactId>all</artifactId><version>1</version>"
                        + "<packaging>pom</packaging><modules>" + modules + "</modules></project>");
        Path files = Files.createDirectories(local.resolveSibling("classpaths"));
        Command resolved = Command.run(
                "mvn",
                "-q",
                "-B",
                "-gs",
                settings.toString(),
                localRepository(),
                "-f",
                pom.toString(),
                "-Dmdep.outputFile=" + files + "/${project.artifactId}",
                "dependency:build-classpath");
        assertThat(resolved.exitCode())
                .as(new String(resolved.output(), StandardCharsets.UTF_8) + resolved.errors())
                .isZero();
        Map<String, String> classpaths = new TreeMap<>();
        try (Stream<Path> written = Files.list(files)) {
            for (Path file : (Iterable<Path>) written::iterator) {
                classpaths.put(file.getFileName().toString(), Files.readString(file));
            }
        }
        return classpaths;
    }
}
