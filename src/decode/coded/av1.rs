//! Pictures that are coded as AV1: the only place that calls `re_rav1d`, whose interface is that of a library of C.
#![allow(unsafe_code, reason = "re_rav1d is called as a library of C is")]

use std::ffi::c_uint;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;

use image::RgbImage;
use re_rav1d::Dav1dResult;
use re_rav1d::include::dav1d::data::Dav1dData;
use re_rav1d::include::dav1d::dav1d::{
    DAV1D_DECODEFRAMETYPE_KEY, Dav1dContext, Dav1dLogger, Dav1dSettings,
};
use re_rav1d::include::dav1d::headers::{
    DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422,
    DAV1D_PIXEL_LAYOUT_I444,
};
use re_rav1d::include::dav1d::picture::Dav1dPicture;
use re_rav1d::src::lib::{
    dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings, dav1d_get_picture,
    dav1d_open, dav1d_picture_unref, dav1d_send_data,
};

use super::super::DecodeError;
use super::planes::{self, Between, Plane, Planes, Samples, Sampling};
use super::{Coded, Coding, damaged, most_coded};

/// Most bytes that a pixel takes while it is decoded.
pub(super) const NEED_PIXEL: u64 = 20;

/// Decodes a picture that needs no other: up to the operating point `layers`.
pub(super) fn decode(coded: &Coded<'_>, layers: u8) -> Result<RgbImage, DecodeError> {
    let decoder = Decoder::open(most_coded(coded.size), layers)?;
    let mut data = Data::copied(coded.data)?;
    let picture = decoder.first_picture(&mut data)?;
    planes::to_rgb(&picture.planes()?, coded)
}

fn check(result: Dav1dResult) -> Result<(), DecodeError> {
    match result.0 {
        0 => Ok(()),
        code => Err(damaged(&format!(
            "the AV1 decoder refuses a picture in it ({code})"
        ))),
    }
}

/// A decoder that is open; it is closed when it goes.
struct Decoder(Option<Dav1dContext>);

impl Decoder {
    /// It refuses pictures of more than so many pixels, and decodes on the thread that calls it.
    fn open(most_pixels: u64, layers: u8) -> Result<Decoder, DecodeError> {
        let mut settings = MaybeUninit::<Dav1dSettings>::uninit();
        // SAFETY: the settings are written into memory that is ours, and are whole afterwards.
        let mut settings = unsafe {
            dav1d_default_settings(NonNull::from(&mut settings).cast());
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        settings.all_layers = 0;
        settings.decode_frame_type = DAV1D_DECODEFRAMETYPE_KEY;
        settings.operating_point = layers.into();
        settings.frame_size_limit = c_uint::try_from(most_pixels).unwrap_or(c_uint::MAX);
        // SAFETY: without a function to be called, it is never called.
        settings.logger = unsafe { Dav1dLogger::new(None, None) };
        let mut decoder = Decoder(None);
        // SAFETY: both outlive the call.
        check(unsafe {
            dav1d_open(
                Some(NonNull::from(&mut decoder.0)),
                Some(NonNull::from(&mut settings)),
            )
        })?;
        Ok(decoder)
    }

    /// Decodes up to the first picture.
    fn first_picture(&self, data: &mut Data) -> Result<Picture, DecodeError> {
        // SAFETY: the decoder is open, and the data is ours.
        let sent = unsafe { dav1d_send_data(self.0, Some(NonNull::from(&mut data.0))) };
        let mut picture = Picture(Dav1dPicture::default());
        // What was sent may have been refused because something else was to be fetched first; here that is the picture.
        // SAFETY: the decoder is open, and the picture is ours.
        let got = unsafe { dav1d_get_picture(self.0, Some(NonNull::from(&mut picture.0))) };
        if got.0 != 0 {
            check(sent)?;
        }
        check(got)?;
        Ok(picture)
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: it was opened, or is none; nobody uses it any more.
        unsafe { dav1d_close(Some(NonNull::from(&mut self.0))) }
    }
}

/// Bytes that belong to the decoder's memory; what it has not taken is given back.
struct Data(Dav1dData);

impl Data {
    fn copied(bytes: &[u8]) -> Result<Data, DecodeError> {
        let mut data = Data(Dav1dData::default());
        if bytes.is_empty() {
            return Err(damaged("a picture in it has no bytes"));
        }
        // SAFETY: the data is ours, and where memory is given there are so many bytes of it.
        unsafe {
            let to = dav1d_data_create(Some(NonNull::from(&mut data.0)), bytes.len());
            if to.is_null() {
                return Err(damaged("a picture in it is too large"));
            }
            to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        Ok(data)
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: it is whole, or empty.
        unsafe { dav1d_data_unref(Some(NonNull::from(&mut self.0))) }
    }
}

/// A decoded picture, whose memory is the decoder's; it is given back when it goes.
struct Picture(Dav1dPicture);

impl Picture {
    fn planes(&self) -> Result<Planes<'_>, DecodeError> {
        let picture = &self.0;
        let size = (picture.p.w.cast_unsigned(), picture.p.h.cast_unsigned());
        let half = |side: u32| side.div_ceil(2);
        let (sampling, colors) = match picture.p.layout {
            DAV1D_PIXEL_LAYOUT_I400 => (Sampling::Grey, (0, 0)),
            DAV1D_PIXEL_LAYOUT_I420 => (Sampling::Quarter, (half(size.0), half(size.1))),
            DAV1D_PIXEL_LAYOUT_I422 => (Sampling::Half, (half(size.0), size.1)),
            DAV1D_PIXEL_LAYOUT_I444 => (Sampling::Full, size),
            _ => return Err(damaged("a picture in it is of unknown planes")),
        };
        let planes = [
            self.plane(0, size)?,
            self.plane(1, colors)?,
            self.plane(2, colors)?,
        ];
        let sequence = picture
            .seq_hdr
            .ok_or_else(|| damaged("a picture in it has no header"))?;
        // SAFETY: the header lives as long as the picture.
        let sequence = unsafe { sequence.as_ref() };
        let coding = Coding {
            primaries: sequence.pri as u16,
            matrix: sequence.mtrx as u16,
            is_full_range: sequence.color_range != 0,
        };
        Ok(Planes {
            size,
            sampling,
            between: Between::Slopes,
            samples: planes,
            coding,
        })
    }

    /// A plane of this size, from its first to its last sample.
    fn plane(&self, index: usize, (width, height): (u32, u32)) -> Result<Plane<'_>, DecodeError> {
        let bits = self.0.p.bpc as u8;
        if width == 0 || height == 0 {
            let samples = Samples::Bytes(&[]);
            return Ok(Plane { samples, stride: 0 });
        }
        let none = || damaged("a picture in it has planes in no order");
        let start = self.0.data[index].ok_or_else(none)?;
        let row_bytes = usize::try_from(self.0.stride[index.min(1)]).map_err(|_| none())?;
        let sample_bytes = if bits == 8 { 1 } else { 2 };
        let stride = row_bytes / sample_bytes;
        let (width, height) = (width as usize, height as usize);
        if stride < width {
            return Err(none());
        }
        let len = stride * (height - 1) + width;
        // SAFETY: all rows of the picture are there, each as long as it says, and they stay as long as the picture. Where there
        // are more than eight bits, each sample has two bytes, and rows begin at multiples of 64.
        let samples = unsafe {
            if bits == 8 {
                Samples::Bytes(slice::from_raw_parts(start.cast().as_ptr(), len))
            } else {
                Samples::Words(slice::from_raw_parts(start.cast().as_ptr(), len), bits)
            }
        };
        let stride = stride as u32;
        Ok(Plane { samples, stride })
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: it is whole, or empty.
        unsafe { dav1d_picture_unref(Some(NonNull::from(&mut self.0))) }
    }
}
