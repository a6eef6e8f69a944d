use std::cell::Cell;

use super::*;

thread_local! {
    static LOOKS: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn looked(bytes: usize) {
    LOOKS.set(LOOKS.get() + bytes);
}

fn template(text: &str) -> UriTemplate {
    UriTemplate::parse(text).expect("a template")
}

/// The values as `name=value`, joined with ` | `.
fn read(text: &str, uri: &str) -> Option<String> {
    let template = template(text);
    let values = template.matches(uri)?;
    Some(values.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" | "))
}

#[test]
fn a_uri_is_read_in_one_way() {
    let cases = [
        ("a://all", "a://all", Some("")),
        ("a://all", "A://all", Some("")),
        ("a://all", "a://All", None),
        ("a://all", "a://all/", None),
        ("a://all", "a://al", None),
        ("a://all", "a:", None),
        ("a://%7eb", "a://~b", None),
        ("a://{id}", "a://7", Some("id=7")),
        ("a://{id}", "a://", None),
        ("a://{id}", "a://7/8", None),
        ("a://{id}", "a://7?x=1", None),
        ("a://{id}", "a://7#x", None),
        ("a://{id}", "a://7:8", None),
        ("a://{id}", "a://7 8", None),
        ("a://{id}", "a://ü", None),
        ("a://{id}", "a://%C3%BC-._~!'()*", Some("id=ü-._~!'()*")),
        ("a://{id}", "b://7", None),
        ("urn:isbn:{number}", "URN:isbn:12", Some("number=12")),
        ("a://{id}.json", "a://x.y.json", Some("id=x.y")),
        ("a://{id}.json", "a://.json", None),
        ("a://{id}.json", "a://x.json.", None),
        ("a://{a}/{b}", "a://1/2", Some("a=1 | b=2")),
        ("a://{a}/{b}", "a://1/2/3", None),
        ("a://{a}/{b}", "a:///2", None),
        ("a://{a}-/-{b}", "a://1--/--2", Some("a=1- | b=-2")),
        ("a://{a}-/-{b}", "a://1/-2", None),
        ("a://{a}-/-{b}", "a://-/-2", None),
        ("a://{a,b}", "a://1,2", Some("a=1 | b=2")),
        ("a://{a,b}", "a://1", None),
        ("a://{a,b}", "a://1,2,3", None),
        ("a://h{/a,b}", "a://h/1/2", Some("a=1 | b=2")),
        ("a://h{/a,b}", "a://h/1", None),
        ("a://h{/a}", "a://h", None),
        ("a://{a}{/b}", "a://1/2", Some("a=1 | b=2")),
        ("a:///{+path}", "a:///x/y%2Fz/", Some("path=x/y/z/")),
        ("a:///{+path}", "a:///", None),
        ("a:///{+path}", "a:////", Some("path=/")),
        ("a:///{+path}", "a:///x\\y", None),
        ("f:{+url}", "f:http://[::1]:8/x?y=z#w", Some("url=http://[::1]:8/x?y=z#w")),
        ("a:///{+path}.md", "a:///x/y.md.md", Some("path=x/y.md")),
        ("a:///{+path}.md", "a:///.md", None),
        ("a:///{+path}.md", "a:///x?y.md", None),
        ("a:///{+path}.md", "a:///x#y.md", None),
        ("a:///{+path}/v/{n}", "a:///x/v/1/v/2", Some("path=x/v/1 | n=2")),
        ("a:///{+path}/v/{n}", "a:///v/2", None),
        ("a:///{+path}/v/{n}", "a:///x/w/2", None),
        ("a:///{+path}x:{a}/{b}-", "a:///xx:x:1/2--", Some("path=xx: | a=1 | b=2-")),
        ("a:///{+path}x:{a}/{b}-", "a:///:xx:1/2--", Some("path=:x | a=1 | b=2-")),
        ("a://{h}/{+path}/{n}", "a://1/2/3/4", Some("h=1 | path=2/3 | n=4")),
        ("a://{h}/{+path}/{n}", "a://1/2", None),
        ("a://{h}/{+path}/{n}", "a://1//2", None),
        ("a:///{+path}?v={v}", "a:///x/y?v=1", Some("path=x/y | v=1")),
        ("a:///{+path}?v={v}", "a:///x?v=1?v=1", None),
        ("a://s{?q,n}", "a://s", Some("")),
        ("a://s{?q,n}", "a://s?n=1&q=2", Some("q=2 | n=1")),
        ("a://s{?q,n}", "a://s?q=", Some("q=")),
        ("a://s{?q,n}", "a://s?q=a+b/c?d=e%26%20", Some("q=a+b/c?d=e& ")),
        ("a://s{?q,n}", "a://s?", None),
        ("a://s{?q,n}", "a://s?q", None),
        ("a://s{?q,n}", "a://s?q=1&", None),
        ("a://s{?q,n}", "a://s?&q=1", None),
        ("a://s{?q,n}", "a://s?q=1&q=1", None),
        ("a://s{?q,n}", "a://s?q=1&x=1", None),
        ("a://s{?q,n}", "a://s?Q=1", None),
        ("a://s{?q,n}", "a://s?%71=1", None),
        ("a://s{?q,n}", "a://s?q=1#x", None),
        ("a://s{?q,n}", "a://s?q=a\u{e9}", None),
        ("a://{id}{?q}", "a://7?q=8", Some("id=7 | q=8")),
        ("a:///{+path}{?q}", "a:///x/y?q=8", Some("path=x/y | q=8")),
        ("a:///{+path}{?q}", "a:///x#y", None),
        ("a://s#{part}", "a://s#x", Some("part=x")),
    ];
    for (text, uri, expected) in cases {
        assert_eq!(read(text, uri).as_deref(), expected, "{text} {uri}");
    }
}

#[test]
fn values_are_decoded_once_and_must_be_utf_8() {
    let cases = [
        ("%41%2f%2F%5C", Some("A//\\")),
        ("%2e%2e", Some("..")),
        ("%2E%2E%2Fx", Some("../x")),
        ("%252e%252e", Some("%2e%2e")),
        ("a%00b", Some("a\0b")),
        ("%E2%82%AC", Some("€")),
        ("%F0%9F%A6%80", Some("🦀")),
        // `/` and NUL in two octets, a surrogate, more than Unicode has, half a character, no character.
        ("%C0%AF", None),
        ("%C0%80", None),
        ("%ED%A0%80", None),
        ("%F4%90%80%80", None),
        ("%E2%82", None),
        ("%FF", None),
        ("%", None),
        ("%4", None),
        ("%4g", None),
        ("%+1", None),
        ("%%41", None),
        ("x%", None),
    ];
    for (encoded, expected) in cases {
        for (text, uri) in [
            ("a://{v}", format!("a://{encoded}")),
            ("a://{v}/41", format!("a://{encoded}/41")),
            ("a://{+v}", format!("a://{encoded}")),
            ("a://{+v}41/{w}", format!("a://{encoded}41/1")),
            ("a://x{?v}", format!("a://x?v={encoded}")),
        ] {
            let template = template(text);
            let found = template.matches(&uri).map(|values| values[0].1.clone());
            assert_eq!(found.as_deref(), expected, "{text} {uri}");
        }
    }
}

#[test]
fn a_border_does_not_cut_an_escape() {
    assert_eq!(read("a://{v}41", "a://x%41"), None);
    assert_eq!(read("a://{v}1/b", "a://x%41/b"), None);
    assert_eq!(read("a://{+v}41/{w}", "a://x%41/b"), None);
    assert_eq!(read("a://{v}41", "a://%4141").as_deref(), Some("v=A"));
}

#[test]
fn what_can_not_be_read_back_is_refused_with_the_fix() {
    let many = (0..17).map(|n| format!("v{n}")).collect::<Vec<_>>().join(",");
    let (many, long) = (format!("a://{{{many}}}"), format!("a://{}", "x".repeat(1021)));
    let cases = [
        ("", "begin it with `orders://`"),
        ("{+x}", "begin it with `orders://`"),
        ("{s}://x", "begin it with `orders://`"),
        ("/x:y", "begin it with `orders://`"),
        ("1a://x", "begin it with `orders://`"),
        (&*long, "has 1025 bytes: shorten it to 1024"),
        (&*many, "more than 16 variables"),
        ("a://{x", "at byte 4 and does not close it: add the `}`"),
        ("a://x}", "at byte 5 that nothing opens"),
        ("a://{x{y}", "`x{y` as a variable in `{x{y}`"),
        ("a://{}", "no name for a variable in `{}`"),
        ("a://{+}", "no name for a variable in `{+}`"),
        ("a://{x,}", "no name for a variable in `{x,}`"),
        ("a://{x-y}", "use ASCII letters, digits and `_` only"),
        ("a://{.x}", "write `.{x}`"),
        ("a://{x..y}", "use ASCII letters"),
        ("a://{ü}", "use ASCII letters"),
        ("a://{x }", "use ASCII letters"),
        ("a://b c", "at byte 5 that no URI has: write `%20` for it"),
        ("a://ü{x}", "at byte 4 that no URI has: write `%C3%BC` for it"),
        ("a://x\\y", "write `%5C` for it"),
        ("a://50%/{x}", "a `%` at byte 6 that two hexadecimal digits do not follow: write `%25`"),
        ("a://{x}/{x}", "the variable `x` twice: rename one"),
        ("a://{x}{?x}", "the variable `x` twice: rename one"),
        ("a://{x*}", "a list, `x*` in `{x*}`"),
        ("a://b{/x*}", "write `{+path}` for many segments"),
        ("a://{x:3}", "a prefix, `x:3` in `{x:3}`: write `x`"),
        ("a://b{#x}", "write `#{x}`"),
        ("a://b{;x,y}", "write `;x={x}`"),
        ("a://b?y=1{&x}", "name all query variables in one `{?a,b}` at the end"),
        ("a://{|x}", "write `{x}`"),
        ("a://{x}{y}", "nothing between `x` and `y` to tell where one ends: write a `/`"),
        ("a://{+x}{y}", "nothing between `x` and `y`"),
        ("a://{x}{+y}", "nothing between `x` and `y`"),
        ("a://{x}-{y}", "only `-` between `x` and `y`"),
        ("a://{x}%2F{y}", "only `%2F` between `x` and `y`"),
        ("a://{+x}.{y}", "only `.` between `x` and `y`"),
        ("a://{+x}/{+y}", "a second reserved variable in `{+y}`"),
        ("a://{+x,y}", "keep one, and write `{y}` for the other"),
        ("a://b{?x}/c", "goes on at byte 9, after `{?..}`"),
        ("a://b{?x}{?y}", "name all query variables in one `{?a,b}`"),
        ("a://b?c=d{?x}", "a `?` or `#` before `{?x}`"),
        ("a://{y}#d{?x}", "a `?` or `#` before `{?x}`"),
    ];
    for (text, expected) in cases {
        let problem = UriTemplate::parse(text).expect_err(text);
        assert!(problem.starts_with("the URI template `"), "{problem}");
        assert!(problem.contains(expected), "{problem}");
    }
    template(&long[..1024]);
    template("a://{x.y}/{_1}/{2}");
}

#[test]
fn a_long_uri_is_looked_at_a_fixed_number_of_times() {
    let texts = [
        "a://x/",
        "a://x/{a}",
        "a://x/x/{a}x/x{/b,c,d}",
        "a://{a,b,c,d,e,f}",
        "a://x/{+p}",
        "a://x/{+p}x/",
        "a://x/{a}/{+p}/x/{b}/xx",
        "a://x/{+p}/{a}/{b}/{c}/{d}/{e}",
        "a://x/{+p}{?a,b}",
        "a://x{?a,b,c}",
    ];
    let repeated = ["x", "/", "x/", "a://x/", "%41", "%", "x,", "x/x/", "?a=", "&a=", "?", "=", "a=&b=&", "%F0"];
    let mut most = 0;
    for text in texts {
        let template = template(text);
        for begin in ["a://x/", "a://", "a://x?a=", "a://x?"] {
            for repeated in repeated {
                for end in ["", "x", "/", "/x/x/xx"] {
                    let times = (LONGEST_URI - begin.len() - end.len()) / repeated.len();
                    let uri = [begin, &repeated.repeat(times), end].concat();
                    LOOKS.set(0);
                    let _ = template.matches(&uri);
                    assert!(LOOKS.get() <= 4 * uri.len() + 3 * text.len(), "{text} {begin}{repeated}..{end}: {}", LOOKS.get());
                    most = most.max(LOOKS.get());
                }
            }
        }
    }
    assert!(most > LONGEST_URI, "the looks are counted");
}

#[test]
fn a_uri_has_at_most_8_kib() {
    let template = template("a://{x}");
    let longest = format!("a://{}", "x".repeat(LONGEST_URI - 4));
    assert!(template.matches(&longest).is_some());
    assert!(template.matches(&format!("{longest}x")).is_none());
}

#[test]
fn the_most_specific_comes_first() {
    let sorted =
        ["a://orders/new", "a://orders/{id}", "a://orders/{+path}", "a://x", "a://x{?q}", "a://{a}/{b}", "a://{a}", "a://{b}"];
    let mut templates: Vec<UriTemplate> = sorted.iter().rev().map(|text| template(text)).collect();
    templates.sort_by_key(UriTemplate::specificity);
    assert_eq!(templates.iter().map(|template| &*template.text).collect::<Vec<_>>(), sorted);
}

#[test]
fn names_are_not_part_of_the_shape() {
    let cases = [
        ("a://{x}", "a://{y}", true),
        ("a://{x}", "A://{y}", true),
        ("a://{x}", "b://{x}", false),
        ("a://{x}", "a://{+x}", false),
        ("a://{x}/", "a://{x}", false),
        ("a://b/{x}", "a://b{/y}", true),
        ("a://{x,y}", "a://{y},{x}", true),
        ("a://x{?q}", "a://x{?r,s}", true),
        ("a://x{?q}", "a://x", false),
        ("a://x", "a://x", true),
        ("ab:/x", "a:b/x", false),
    ];
    for (one, other, expected) in cases {
        assert_eq!(template(one).same_shape(&template(other)), expected, "{one} {other}");
        assert_eq!(template(other).same_shape(&template(one)), expected, "{other} {one}");
    }
}

#[test]
fn variables_are_in_the_templates_order() {
    for (text, expected) in [("a://{b}/{+a}/{c}{?z,y}", &["b", "a", "c", "z", "y"][..]), ("a://x{?q}", &["q"]), ("a://x", &[])] {
        let template = template(text);
        assert_eq!(template.variables().collect::<Vec<_>>(), expected);
        assert_eq!(template.is_fixed(), expected.is_empty());
    }
}

#[test]
fn expansion_is_that_of_the_rfc() {
    // Values and results of RFC 6570, sections 3.2.2 to 3.2.8, behind a scheme.
    let value = |name: &str| match name {
        "var" => Some("value"),
        "hello" => Some("Hello World!"),
        "half" => Some("50%"),
        "empty" => Some(""),
        "path" => Some("/foo/bar"),
        "x" => Some("1024"),
        "y" => Some("768"),
        _ => None,
    };
    let cases = [
        ("{var}", "value"),
        ("{hello}", "Hello%20World%21"),
        ("{half}", "50%25"),
        ("O{empty}X", "OX"),
        ("O{undef}X", "OX"),
        ("{x,y}", "1024,768"),
        ("{x,hello,y}", "1024,Hello%20World%21,768"),
        ("?{x,empty}", "?1024,"),
        ("?{x,undef}", "?1024"),
        ("?{undef,y}", "?768"),
        ("{+hello}", "Hello%20World!"),
        ("{+half}", "50%25"),
        ("{+path}/here", "/foo/bar/here"),
        ("here?ref={+path}", "here?ref=/foo/bar"),
        ("{/var}", "/value"),
        ("{/var,undef}", "/value"),
        ("{/var,empty}", "/value/"),
        ("{/var,x}/here", "/value/1024/here"),
        ("{?x,y}", "?x=1024&y=768"),
        ("{?x,y,empty}", "?x=1024&y=768&empty="),
        ("{?x,y,undef}", "?x=1024&y=768"),
        ("{?undef}", ""),
    ];
    for (text, expected) in cases {
        let expanded = template(&format!("a:{text}")).expand(|name| value(name).map(str::to_owned));
        assert_eq!(expanded, format!("a:{expected}"), "{text}");
    }
}

#[test]
fn what_was_expanded_is_read_back() {
    let texts = [
        "a://{u}",
        "a://{u,v}",
        "a://x{/u,v}.json",
        "a:///{+u}",
        "a:///{+u}.md",
        "a://{u}/{+v}/{w}",
        "a:///{+u}/v/{v}-/-{w}%2F",
        "a:///{+u}:{v}{?w,x}",
        "a://{u}?v={v}#{w}",
        "a://x{?u,v,w}",
    ];
    let values = [
        "x", "..", "/", "a/b", "/v/", "-", "--/--", "-/-", ".json", ".md", "x.md.md", "?", "#", "a?b#c", "%", "%2F", "%41", "%%",
        ",", "a,b", "=", "&", "a=b&c=d", "+", " ", ":", "::", "[]", "!'()*", "\\", "\0", "\u{7f}", "ü", "€", "🦀", "{u}",
        "\"<>^`|",
    ];
    for text in texts {
        let template = template(text);
        for (index, _) in values.iter().enumerate() {
            for step in [0, 1, 7] {
                let given: Vec<(&str, String)> = template
                    .variables()
                    .enumerate()
                    .map(|(nth, name)| (name, values[(index + nth * step) % values.len()].to_owned()))
                    .collect();
                let uri = template.expand(|name| given.iter().find(|(own, _)| *own == name).map(|(_, value)| value.clone()));
                assert_eq!(template.matches(&uri).as_ref(), Some(&given), "{text} {uri}");
            }
        }
    }
}

#[test]
fn a_value_that_leaves_its_place_is_found() {
    for value in [
        "..",
        "../x",
        "a/..",
        "a/../b",
        "a/b/..",
        "/",
        "/etc/passwd",
        "//host/share",
        "C:",
        "C:\\x",
        "c:/x",
        "c:x",
        "a\\b",
        "\\",
        "\\\\host",
        "..\\x",
        "a\0",
        "\0",
        "a\nb",
        "\r",
        "\t",
        "\u{7f}",
        "\u{85}",
        "%2e%2e",
        "a/%2E./b",
        "..%2fa",
        "%2Fetc",
        "C%3a",
        "a%5cb",
        "a%00",
        "%ff%0a%",
    ] {
        assert!(escapes(value), "{value:?}");
    }
    for value in [
        "",
        "x",
        ".",
        "...",
        "a..b",
        "..a",
        "a..",
        "a/..b/c",
        "a/b/",
        "a//b",
        "./a",
        "%2e",
        "100%",
        "%25%",
        "a%2fb",
        "%252e%252e",
        "1:",
        "ab:c",
        "ü",
        "a b",
        "🦀:",
    ] {
        assert!(!escapes(value), "{value:?}");
    }
    let template = template("a:///{p}");
    let values = template.matches("a:///%2e%2e").expect("a match");
    assert!(escapes(&values[0].1));
}
