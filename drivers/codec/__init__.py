"""3GPP TS 23.038 / 23.040: alphabets, TPDUs, headers, segmentation. Pure: octets and values only."""
