package io.dromedary.sersync;

import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;

/**
 * Reads a {@code confxml.xml} as sersync's own lenient parser does, so that files that have worked for years are read:
 * comments with "--" in them, text between the elements, a lone '&amp;', blank lines before the XML declaration, a
 * charset that is not the declared one. What is no XML even so is one line with file, line and column. Nothing a
 * DOCTYPE says is followed, and nothing outside the file is read.
 */
final class ConfXml {
    private static final Pattern COMMENT = Pattern.compile("<!--.*?-->", Pattern.DOTALL);
    private static final Pattern LONE_AMPERSAND = Pattern.compile("&(?!(?:#\\d+|#x[0-9A-Fa-f]+|lt|gt|amp|quot|apos);)");
    private static final Pattern ENCODING = Pattern.compile("<\\?xml[^>]*encoding\\s*=\\s*[\"']([A-Za-z0-9._-]+)");

    /** One element; reading its parts through the methods marks it as understood. */
    static final class Element {
        final String name;
        /** Where its start tag ends, from 1. */
        final int line;

        private final Map<String, String> attributes = new LinkedHashMap<>();
        private final List<Element> children = new ArrayList<>();
        private boolean understood;

        Element(String name, int line) {
            this.name = name;
            this.line = line;
        }

        /** The attribute's value; "" if there is none. */
        String get(String attribute) {
            understood = true;
            return attributes.getOrDefault(attribute, "").strip();
        }

        /** Whether {@code start="true"}. */
        boolean isOn() {
            return get("start").equalsIgnoreCase("true");
        }

        /** The first child of that name, as sersync reads it; an empty one on this line if there is none. */
        Element child(String wanted) {
            return all(wanted).stream().findFirst().orElseGet(() -> new Element(wanted, line));
        }

        List<Element> all(String wanted) {
            understood = true;
            List<Element> found =
                    children.stream().filter(child -> child.name.equals(wanted)).toList();
            found.forEach(child -> child.understood = true);
            return found;
        }

        /** Everything in it is understood, whatever it is. */
        void understandAll() {
            understood = true;
            children.forEach(Element::understandAll);
        }

        boolean isThere() {
            return understood && !(attributes.isEmpty() && children.isEmpty());
        }

        /** What nobody has asked for, the outermost elements only. */
        List<Element> notUnderstood() {
            List<Element> all = new ArrayList<>();
            for (Element child : children) {
                if (child.understood) {
                    all.addAll(child.notUnderstood());
                } else {
                    all.add(child);
                }
            }
            return all;
        }
    }

    private ConfXml() {}

    /**
     * The root element of the file.
     *
     * @throws IllegalArgumentException with one line that says where it cannot be read and why
     */
    static Element read(Path file) {
        String text;
        try {
            text = text(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new IllegalArgumentException(file + ": cannot be read: " + e.getMessage());
        }
        int start = 0;
        while (start < text.length()
                && (Character.isWhitespace(text.charAt(start)) || text.charAt(start) == '\uFEFF')) {
            start++;
        }
        int linesBefore =
                (int) text.substring(0, start).chars().filter(c -> c == '\n').count();
        try {
            return parse(lenient(text.substring(start)), linesBefore);
        } catch (XMLStreamException e) {
            int line = e.getLocation() == null ? 0 : e.getLocation().getLineNumber() + linesBefore;
            int column = e.getLocation() == null ? 0 : e.getLocation().getColumnNumber();
            String why = String.valueOf(e.getMessage()).replaceFirst("(?s).*\\nMessage: ", "");
            throw new IllegalArgumentException(file + ":" + line + ":" + column + ": this is not XML: "
                    + why.strip().replaceAll("\\s+", " "));
        }
    }

    /** sersync takes bytes as they are: UTF-8 under a header that says ISO-8859-1 is the rule, not the exception. */
    private static String text(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            String latin = new String(bytes, StandardCharsets.ISO_8859_1);
            Matcher declared = ENCODING.matcher(latin);
            if (declared.find()
                    && isCharset(declared.group(1))
                    && !declared.group(1).equalsIgnoreCase("UTF-8")) {
                return new String(bytes, Charset.forName(declared.group(1)));
            }
            return latin;
        }
    }

    private static boolean isCharset(String name) {
        try {
            return Charset.isSupported(name);
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static String lenient(String text) {
        // Lines stay where they are.
        String bare =
                COMMENT.matcher(text).replaceAll(comment -> comment.group().replaceAll("[^\\n]", " "));
        return LONE_AMPERSAND.matcher(bare).replaceAll("&amp;");
    }

    private static Element parse(String text, int linesBefore) throws XMLStreamException {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        factory.setProperty(XMLInputFactory.IS_NAMESPACE_AWARE, false);
        XMLStreamReader reader = factory.createXMLStreamReader(new StringReader(text));
        Deque<Element> open = new ArrayDeque<>();
        Element root = null;
        while (reader.hasNext()) {
            int event = reader.next();
            if (event == XMLStreamReader.START_ELEMENT) {
                Element element =
                        new Element(reader.getLocalName(), reader.getLocation().getLineNumber() + linesBefore);
                for (int i = 0; i < reader.getAttributeCount(); i++) {
                    element.attributes.put(reader.getAttributeLocalName(i), reader.getAttributeValue(i));
                }
                if (open.isEmpty()) {
                    root = element;
                } else {
                    open.peek().children.add(element);
                }
                open.push(element);
            } else if (event == XMLStreamReader.END_ELEMENT) {
                open.pop();
            }
        }
        return root;
    }
}
