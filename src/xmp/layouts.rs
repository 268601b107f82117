//! Packets for tests, laid out as programs of many sorts lay theirs out.

/// Names and packets.
pub(super) const LAYOUTS: [(&str, &str); 11] = [
    ("digikam", DIGIKAM),
    ("darktable", DARKTABLE),
    ("lightroom", LIGHTROOM),
    ("exiftool", EXIFTOOL),
    ("no wrapper, odd prefixes", ODD_PREFIXES),
    ("default namespace", DEFAULT_NAMESPACE),
    ("crlf", CRLF),
    ("byte order mark", BYTE_ORDER_MARK),
    ("bags of one tag", ONE_TAG),
    ("one line", ONE_LINE),
    ("nothing in it", NOTHING),
];

/// The keywords of the packet with this name.
pub(super) fn keywords_of(name: &str) -> &'static [&'static str] {
    match name {
        "digikam" => &["Ada & Bob", "Leute", "Straße"],
        "lightroom" => &["animal", "cat", "home"],
        "exiftool" => &["mine"],
        "no wrapper, odd prefixes" => &["alt", "seq"],
        "default namespace" => &["plain"],
        "crlf" => &["windows"],
        "byte order mark" => &["marked"],
        "one line" => &["a", "b"],
        _ => &[],
    }
}

const DIGIKAM: &str = "<?xpacket begin=\"\u{FEFF}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"XMP Core 4.4.0-Exiv2\">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
  <rdf:Description rdf:about=\"\"
    xmlns:digiKam=\"http://www.digikam.org/ns/1.0/\"
    xmlns:dc=\"http://purl.org/dc/elements/1.1/\"
    xmlns:lr=\"http://ns.adobe.com/lightroom/1.0/\"
    xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"
   xmp:Rating=\"4\">
   <digiKam:TagsList>
    <rdf:Seq>
     <rdf:li>Leute/Ada &amp; Bob</rdf:li>
    </rdf:Seq>
   </digiKam:TagsList>
   <dc:subject>
    <rdf:Bag>
     <rdf:li>Ada &amp; Bob</rdf:li>
     <rdf:li>Straße</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>Leute|Ada &#38; Bob</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end=\"w\"?>";

const DARKTABLE: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"XMP Core 4.4.0-Exiv2\">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
  <rdf:Description rdf:about=\"\"
    xmlns:exif=\"http://ns.adobe.com/exif/1.0/\"
    xmlns:darktable=\"http://darktable.sf.net/\"
   exif:DateTimeOriginal=\"2021:07:03 18:30:05.000\"
   darktable:xmp_version=\"5\"
   darktable:auto_presets_applied=\"1\">
   <darktable:masks_history>
    <rdf:Seq/>
   </darktable:masks_history>
   <darktable:history>
    <rdf:Seq>
     <rdf:li
      darktable:num=\"0\"
      darktable:operation=\"colorin\"
      darktable:params=\"gz48eJzjYhgFowABWAbaAaNgwAEAEDgABg==\"/>
     <rdf:li darktable:num=\"1\"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
";

const LIGHTROOM: &str = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"Adobe XMP Core 7.0-c000 1.000000, 0000/00/00-00:00:00        \">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
  <rdf:Description rdf:about=\"uuid:faf5bdd5-ba3d-11da-ad31-d33d75182f1b\"
    xmlns:crs=\"http://ns.adobe.com/camera-raw-settings/1.0/\"
    xmlns:dc=\"http://purl.org/dc/elements/1.1/\"
    xmlns:lr=\"http://ns.adobe.com/lightroom/1.0/\"
   crs:Version=\"15.0\"
   crs:WhiteBalance=\"As Shot\">
   <!-- a comment stays -->
   <dc:subject>
    <rdf:Bag>
     <rdf:li>cat</rdf:li>
     <rdf:li>home</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <lr:hierarchicalSubject>
    <rdf:Bag>
     <rdf:li>animal|cat</rdf:li>
     <rdf:li>home</rdf:li>
    </rdf:Bag>
   </lr:hierarchicalSubject>
   <crs:ToneCurvePV2012>
    <rdf:Seq>
     <rdf:li>0, 0</rdf:li>
     <rdf:li>255, 255</rdf:li>
    </rdf:Seq>
   </crs:ToneCurvePV2012>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
";

const EXIFTOOL: &str = "<?xpacket begin='\u{FEFF}' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Image::ExifTool 12.57'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>

 <rdf:Description rdf:about=''
  xmlns:dc='http://purl.org/dc/elements/1.1/'>
  <dc:subject>
   <rdf:Bag>
    <rdf:li>mine</rdf:li>
   </rdf:Bag>
  </dc:subject>
 </rdf:Description>

 <rdf:Description rdf:about=''
  xmlns:tiff='http://ns.adobe.com/tiff/1.0/'>
  <tiff:Orientation>1</tiff:Orientation>
 </rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end='w'?>";

const ODD_PREFIXES: &str = "<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" xmlns:dc=\"urn:not-dublin-core\" xmlns:pixdex=\"urn:else\">
\t<r:Description about='say \"hello\"' xmlns:d='http://purl.org/dc/elements/1.1/' xmlns:l='http://ns.adobe.com/lightroom/1.0/'>
\t\t<dc:subject><r:Bag><r:li>not a keyword</r:li></r:Bag></dc:subject>
\t\t<d:subject><r:Seq><r:li>seq</r:li></r:Seq></d:subject>
\t\t<l:hierarchicalSubject><r:Alt><r:li>alt</r:li></r:Alt></l:hierarchicalSubject>
\t</r:Description>
</r:RDF>";

const DEFAULT_NAMESPACE: &str = "<RDF xmlns=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
  <Description about=\"\">
    <subject xmlns=\"http://purl.org/dc/elements/1.1/\"><rdf:Bag xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:li>plain</rdf:li></rdf:Bag></subject>
  </Description>
</RDF>
";

const CRLF: &str = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\r
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\r
  <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\r
   <dc:subject>\r
    <rdf:Bag>\r
     <rdf:li>windows</rdf:li>\r
    </rdf:Bag>\r
   </dc:subject>\r
  </rdf:Description>\r
 </rdf:RDF>\r
</x:xmpmeta>\r
";

const BYTE_ORDER_MARK: &str = "\u{FEFF}<?xml version=\"1.0\"?>
<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" dc:format=\"image/jpeg\"><dc:subject><rdf:Bag>
<rdf:li>marked</rdf:li></rdf:Bag>
</dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>";

const ONE_TAG: &str = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">
 <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">
  <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:lr=\"http://ns.adobe.com/lightroom/1.0/\">
   <dc:subject>
    <rdf:Bag/>
   </dc:subject>
   <lr:hierarchicalSubject> <rdf:Bag  /> </lr:hierarchicalSubject>
  </rdf:Description>
  <rdf:Description rdf:about=\"\"/>
 </rdf:RDF>
</x:xmpmeta>
";

const ONE_LINE: &str = "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><dc:subject><rdf:Bag><rdf:li>a</rdf:li><rdf:li>b</rdf:li></rdf:Bag></dc:subject><dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">c</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF>";

const NOTHING: &str = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">

</rdf:RDF></x:xmpmeta>";
