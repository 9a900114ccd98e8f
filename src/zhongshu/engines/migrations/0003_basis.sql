-- The basis of a dispatch catalogue's row in English too; what was loaded before keeps its one text for both languages.

ALTER TABLE duty_row ADD COLUMN basis_en TEXT NOT NULL DEFAULT '';

UPDATE duty_row SET basis_en = basis;
