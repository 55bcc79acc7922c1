// The harbour's colours: Fluent's keys and our own tokens in one object, so that FluentProvider writes all of them as CSS variables.
import { type BrandVariants, type Theme, createDarkTheme, createLightTheme } from "@fluentui/react-components";

const harbour: BrandVariants = {
  10: "#02141B", 20: "#06222D", 30: "#08303F", 40: "#0A3D50", 50: "#0B4A60", 60: "#0C5870", 70: "#0D6680", 80: "#0F7490",
  90: "#2A86A1", 100: "#4497B1", 110: "#5FA9C0", 120: "#7ABBCF", 130: "#97CCDC", 140: "#B4DDE8", 150: "#D0EDF3", 160: "#E8F7FA",
};

const light = {
  gsCanvas: "#F2F5F6", gsSurface: "#FFFFFF", gsSunken: "#F7F9FA", gsLine: "#DAE2E6", gsLineStrong: "#B4C1C8",
  gsHover: "#EEF3F5", gsSelected: "#E3F1F5", gsText: "#10212B", gsText2: "#40535F", gsText3: "#5A6C77",
  gsShell: "#0A2230", gsShellText: "#C3D3DC", gsShellActive: "#143B4F",
  gsSignal: "#FFC247", gsSignalInk: "#2B1D00", gsSignalTint: "#FFF6E0", gsSignalLine: "#B87B00", gsSignalText: "#7A5200",
  gsHigh: "#B5123E", gsHighTint: "#FCE9EE", gsHighInk: "#FFFFFF", gsMedium: "#A8480C", gsMediumTint: "#FDEEE3",
  gsLow: "#1B62A8", gsLowTint: "#E7F0FA", gsInfo: "#56687A", gsInfoTint: "#EDF1F4", gsOk: "#0B7050", gsOkTint: "#E3F4EC",
  gsBusy: "#0D6680", gsBusyTint: "#E3F1F5", gsHold: "#6B3FA0", gsHoldTint: "#F1EAFA", gsOff: "#5A6C77", gsOffTint: "#EDF1F3",
  gsAddedTint: "#E3F4EC", gsAdded: "#0B5C43", gsRemovedTint: "#FCE9EE", gsRemoved: "#98103A",
  gsChartHigh: "#B5123E", gsChartMedium: "#DE9468", gsChartLow: "#B9CBD6", gsLink: "#0D6680",
};

const dark: typeof light = {
  gsCanvas: "#0A141B", gsSurface: "#101D26", gsSunken: "#0D1820", gsLine: "#22343F", gsLineStrong: "#3C525F",
  gsHover: "#162631", gsSelected: "#12323F", gsText: "#E4EDF1", gsText2: "#B2C2CB", gsText3: "#8DA1AD",
  gsShell: "#071017", gsShellText: "#B4C6D0", gsShellActive: "#12303F",
  gsSignal: "#FFC247", gsSignalInk: "#2B1D00", gsSignalTint: "#241D0E", gsSignalLine: "#C9952B", gsSignalText: "#FFCB66",
  gsHigh: "#FF7A95", gsHighTint: "#3A1521", gsHighInk: "#2A0510", gsMedium: "#F59B63", gsMediumTint: "#33200F",
  gsLow: "#74B4F2", gsLowTint: "#11283F", gsInfo: "#A3B4BF", gsInfoTint: "#1B2933", gsOk: "#4CC79A", gsOkTint: "#0D2D23",
  gsBusy: "#6FC3DA", gsBusyTint: "#102F3B", gsHold: "#C3A2F2", gsHoldTint: "#281D3D", gsOff: "#8DA1AD", gsOffTint: "#1B2933",
  gsAddedTint: "#0D2D23", gsAdded: "#7EDBB6", gsRemovedTint: "#3A1521", gsRemoved: "#FF9DB1",
  gsChartHigh: "#FF7A95", gsChartMedium: "#A8653B", gsChartLow: "#2F4A5B", gsLink: harbour[120],
};

export type HarbourTheme = Theme & typeof light;

const sizes = {
  fontFamilyBase: "'IBM Plex Sans Variable', 'Segoe UI', system-ui, sans-serif",
  fontFamilyMonospace: "'IBM Plex Mono', ui-monospace, monospace",
  fontSizeBase100: "11px", fontSizeBase200: "12px", fontSizeBase300: "13px", fontSizeBase400: "15px", fontSizeBase500: "18px",
  fontSizeBase600: "22px", lineHeightBase100: "16px", lineHeightBase200: "16px", lineHeightBase300: "20px", lineHeightBase400: "20px",
  lineHeightBase500: "24px", lineHeightBase600: "28px", borderRadiusMedium: "4px", borderRadiusLarge: "6px",
};

function overrides(own: typeof light): Partial<Theme> {
  return {
    colorNeutralBackground1: own.gsSurface, colorNeutralBackground2: own.gsCanvas, colorNeutralBackground3: own.gsSunken,
    colorSubtleBackgroundHover: own.gsHover, colorSubtleBackgroundSelected: own.gsSelected,
    colorNeutralForeground1: own.gsText, colorNeutralForeground2: own.gsText2, colorNeutralForeground3: own.gsText3,
    colorNeutralStroke1: own.gsLineStrong, colorNeutralStroke2: own.gsLine, colorNeutralStroke3: own.gsLine,
    colorNeutralStrokeAccessible: own.gsText3, colorPaletteRedForeground1: own.gsHigh, colorPaletteRedForeground3: own.gsHigh,
    colorStatusDangerForeground1: own.gsHigh, colorNeutralStencil1: own.gsOffTint,
  };
}

export const lightTheme: HarbourTheme = { ...createLightTheme(harbour), ...sizes, ...overrides(light), ...light };

export const darkTheme: HarbourTheme = {
  ...createDarkTheme(harbour), ...sizes, ...overrides(dark), ...dark,
  colorBrandForeground1: harbour[120], colorBrandForeground2: harbour[120], colorBrandForegroundLink: harbour[120],
  colorBrandForegroundLinkHover: harbour[130], colorCompoundBrandStroke: harbour[110], colorCompoundBrandForeground1: harbour[120],
  colorBrandBackground: harbour[80],
};
